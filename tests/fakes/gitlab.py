"""GitLab: projects with protected branches, files, pipelines and deployments, paged as it pages."""

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
            ("/protected_branches/<name>", self.protection),
            ("/repository/files/<path:file_path>", self.file),
            ("/pipelines", self.pipelines),
            ("/releases", self.releases),
            ("/deployments", self.deployments),
            ("/repository/compare", self.compare),
        ):
            self.app.add_url_rule(below + path, path or "about", view)

    def add(self, path: str, **parts: Any) -> dict[str, Any]:
        made = {"settings": {}, "protected": [], "files": [], "pipelines": [], "releases": [], "deployments": [],
                "commits": {}, **parts}  # fmt: skip
        self.projects[path] = made
        return made

    def deploy(self, path: str, at: datetime, sha: str, status: str = "success", **environment: Any) -> int:
        deployments = self.projects[path]["deployments"]
        number = len(deployments) + 1
        deployments.append(
            {
                "id": number,
                "iid": number,
                "sha": sha,
                "status": status,
                "created_at": rfc3339(at),
                "updated_at": rfc3339(at),
                "environment": environment or {"name": "production"},
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

    def protection(self, id: str, name: str) -> Any:
        if id in self.forbidden:
            return self.refuse(403, "403 Forbidden")
        return {"id": 1, "name": name} if name in self._found(id)["protected"] else self.refuse(404, "Not found")

    def file(self, id: str, file_path: str) -> Any:
        return {"file_path": file_path} if file_path in self._found(id)["files"] else self.refuse(404, "Not found")

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

    def compare(self, id: str) -> Any:
        found = self._found(id)["commits"].get((request.args["from"], request.args["to"]))
        if found is None:
            return self.refuse(404, "Not found")
        return {"commits": [{"authored_date": rfc3339(at)} for at in found]}
