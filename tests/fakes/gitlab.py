"""GitLab: projects with protected branches, files, pipelines and deployments, paged as it pages."""

import base64
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import request

from tests.fakes.argocd import rfc3339
from tests.fakes.server import Fake


class GitLab(Fake):
    """Keeps projects by their path. Answers are cut to what the connector reads and are not held against the document,
    whose own examples break it; requests are checked whole.
    """

    def __init__(self, spec_file: Path, token: str = "fake-token") -> None:
        self.projects: dict[str, dict[str, Any]] = {}
        self.forbidden: set[str] = set()
        super().__init__(spec_file, token)
        self.check_answers = False

    def authorized(self) -> bool:
        return request.headers.get("PRIVATE-TOKEN") == self.token

    def register(self) -> None:
        self.app.get("/api/v4/version")(lambda: {"version": "17.5.1", "revision": "abc"})
        below = "/api/v4/projects/<path:id>"
        for path, view in (
            ("", self.about),
            ("/protected_branches", self.protections),
            ("/protected_branches/<name>", self.protection),
            ("/repository/files/<path:file_path>", self.file),
            ("/repository/tree", self.tree),
            ("/repository/commits", self.file_commits),
            ("/pipelines", self.pipelines),
            ("/releases", self.releases),
            ("/deployments", self.deployments),
            ("/environments", self.environments),
            ("/repository/compare", self.compare),
        ):
            self.app.add_url_rule(below + path, path or "about", view)

    def add(self, path: str, **parts: Any) -> dict[str, Any]:
        made = {"settings": {}, "protected": [], "files": [], "pipelines": [], "releases": [], "deployments": [],
                "environments": [],
                "commits": {}, "texts": {}, **parts}  # fmt: skip
        self.projects[path] = made
        return made

    def deploy(
        self, path: str, at: datetime, sha: str, status: str = "success", name: str = "production", tier: str = "other"
    ) -> int:
        """Add a deployment: it tells the environment's name, and only the environment tells its tier."""
        deployments = self.projects[path]["deployments"]
        self.projects[path]["environments"].append({"id": len(deployments) + 1, "name": name, "tier": tier})
        number = len(deployments) + 1
        deployments.append(
            {
                "id": number,
                "iid": number,
                "sha": sha,
                "status": status,
                "created_at": rfc3339(at),
                "updated_at": rfc3339(at),
                "environment": {"name": name},
                "user": {"username": "ann"},
                "deployable": {"finished_at": rfc3339(at)} if status in ("success", "failed") else None,
            }
        )
        return number

    def _found(self, id: str) -> dict[str, Any]:
        return self.projects.get(id) or self.projects[next(p for p in self.projects if id in p)]

    def about(self, id: str) -> Any:
        if id not in self.projects:
            return self.refuse(404, "404 Project Not Found")
        web_url = f"https://gitlab.example/{id}"
        about = {"id": 1, "path_with_namespace": id, "default_branch": "main", "web_url": web_url}
        return about | self.projects[id]["settings"]

    def protections(self, id: str) -> Any:
        return [{"id": number, "name": name} for number, name in enumerate(self._found(id)["protected"])]

    def protection(self, id: str, name: str) -> Any:
        if id in self.forbidden:
            return self.refuse(403, "403 Forbidden")
        return {"id": 1, "name": name} if name in self._found(id)["protected"] else self.refuse(404, "Not found")

    def file(self, id: str, file_path: str) -> Any:
        """Files are kept by path; those in `texts` with their text and when they were put there."""
        found = self._found(id)
        if file_path in found["texts"]:
            content = base64.b64encode(found["texts"][file_path][0].encode()).decode()
            return {"file_path": file_path, "encoding": "base64", "content": content}
        return {"file_path": file_path} if file_path in found["files"] else self.refuse(404, "Not found")

    def tree(self, id: str) -> Any:
        folder = f"{request.args['path']}/"
        found = [path for path in self._found(id)["texts"] if path.startswith(folder)]
        if not found:
            return self.refuse(404, "404 invalid revision or path Not Found")
        return [{"id": "1", "type": "blob", "path": path} for path in found if int(request.args["page"]) == 1]

    def file_commits(self, id: str) -> Any:
        return [{"committed_date": rfc3339(self._found(id)["texts"][request.args["path"]][1])}]

    def pipelines(self, id: str) -> Any:
        assert request.args["scope"] == "finished"
        return self._found(id)["pipelines"]

    def releases(self, id: str) -> Any:
        return self._found(id)["releases"]

    def deployments(self, id: str) -> Any:
        limit, page = int(request.args["per_page"]), int(request.args["page"])
        since = request.args["updated_after"]
        found = [one for one in self._found(id)["deployments"] if one["updated_at"] >= since]
        found.sort(key=lambda one: one["updated_at"], reverse=request.args["sort"] == "desc")
        return found[(page - 1) * limit : page * limit]

    def environments(self, id: str) -> Any:
        return self._found(id)["environments"] if int(request.args["page"]) == 1 else []

    def compare(self, id: str) -> Any:
        found = self._found(id)["commits"].get((request.args["from"], request.args["to"]))
        if found is None:
            return self.refuse(404, "Not found")
        return {"commits": [{"authored_date": rfc3339(at)} for at in found]}
