"""GitLab: projects with protected branches, files, pipelines and deployments, paged as it pages."""

import base64
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import request
from graphql import build_schema, graphql_sync

from tests.fakes import repository_graphql
from tests.fakes.argocd import rfc3339
from tests.fakes.server import Fake, in_part

GID = "gid://gitlab/Project/"


def mended(spec: dict[str, Any]) -> dict[str, Any]:
    """Return GitLab's document for answers that are cut to what is read.

    It says of no field that it may be null, though many are; it has one entry for the list that a tree is, and a text
    for a number.
    """
    relaxed: dict[str, Any] = _nullable(in_part(spec))
    tree = relaxed["paths"]["/api/v4/projects/{id}/repository/tree"]["get"]["responses"]["200"]
    content = tree["content"]["application/json"]
    content["schema"] = {"type": "array", "items": content["schema"]}
    for schema in relaxed["components"]["schemas"].values():
        schema["nullable"] = True
        schema.get("properties", {}).get("approvals_before_merge", {}).pop("type", None)
    return relaxed


def _nullable(node: Any) -> Any:
    """Let each property be null."""
    if isinstance(node, list):
        return [_nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {key: _nullable(value) for key, value in node.items()}
    for name, schema in (found.get("properties") or {}).items():
        if isinstance(schema, dict) and "type" in schema:
            found["properties"][name] = {**schema, "nullable": True}
    return found


SCHEMA = build_schema(
    repository_graphql.GITLAB
    + """
    type Query { project(fullPath: ID!): Project }
    type Project {
      securityScanners: SecurityScanners
      vulnerabilities(
        reportType: [VulnerabilityReportType!], severity: [VulnerabilitySeverity!], state: [VulnerabilityState!],
        sort: VulnerabilitySort, first: Int, after: String
      ): VulnerabilityConnection
    }
    type SecurityScanners { available: [String!], enabled: [String!], pipelineRun: [String!] }
    type VulnerabilityConnection { nodes: [Vulnerability], pageInfo: PageInfo! }
    type Vulnerability { id: ID!, detectedAt: String!, severity: VulnerabilitySeverity }
    type PageInfo { hasNextPage: Boolean!, endCursor: String }
    enum VulnerabilityReportType { SAST DAST DEPENDENCY_SCANNING CONTAINER_SCANNING SECRET_DETECTION GENERIC }
    enum VulnerabilitySeverity { INFO UNKNOWN LOW MEDIUM HIGH CRITICAL }
    enum VulnerabilityState { DETECTED DISMISSED RESOLVED CONFIRMED }
    enum VulnerabilitySort { severity_desc severity_asc detected_desc detected_asc }
"""
)


class GitLab(Fake):
    """Keeps projects by their path. Answers are cut to what the connector reads, and each field of them is as the
    document says; requests are checked whole.
    """

    def __init__(self, spec_file: Path, token: str = "fake-token") -> None:
        self.projects: dict[str, dict[str, Any]] = {}
        self.forbidden: set[str] = set()
        self.graphql_page = 100
        self.questions: list[str] = []
        """What was asked by GraphQL."""
        self.most_at_once = 1000
        """Projects whose files one question may ask for."""
        self.scanners: dict[str, list[str]] = {}
        """What scans a project, by its path; one that is not here may not be seen, or has no such edition."""
        self.vulnerabilities: dict[str, list[dict[str, str]]] = {}
        super().__init__(spec_file, token)

    @classmethod
    def relax(cls, spec: dict[str, Any]) -> dict[str, Any]:
        return mended(spec)

    def authorized(self) -> bool:
        return request.headers.get("PRIVATE-TOKEN") == self.token

    def register(self) -> None:
        self.app.post("/api/graphql")(self.graphql)
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
            ("/vulnerabilities", self.listed_vulnerabilities),
        ):
            self.app.add_url_rule(below + path, path or "about", view)

    def is_documented(self) -> bool:
        return not request.path.endswith(("/vulnerabilities", "/graphql"))

    def listed_vulnerabilities(self, id: str) -> Any:
        return [] if id in self.scanners else self.refuse(403, "403 Forbidden")

    def vulnerability(
        self, path: str, at: datetime, severity: str = "CRITICAL", kind: str = "CONTAINER_SCANNING"
    ) -> None:
        """What a scanner found and nobody has mended."""
        found = self.vulnerabilities.setdefault(path, [])
        found.append({"id": str(len(found)), "detectedAt": rfc3339(at), "severity": severity, "reportType": kind})

    def graphql(self) -> Any:
        """Execute a question against an excerpt of GitLab's own schema; what may not be seen is left out in silence."""

        def page(path: str, first: int, after: str | None, **only: Any) -> Any:
            hidden = path not in self.scanners
            found = [one for one in self.vulnerabilities.get(path, ()) if one["severity"] in only["severity"]]
            found = [] if hidden else [one for one in found if one["reportType"] in only["reportType"]]
            found.sort(key=lambda one: one["detectedAt"])
            start, size = int(after or 0), min(first, self.graphql_page)
            ends = {"hasNextPage": start + size < len(found), "endCursor": str(start + size)}
            return {"nodes": found[start : start + size], "pageInfo": ends}

        def project(_info: Any, fullPath: str) -> Any:  # noqa: N803 - as the schema has it
            if fullPath not in self.projects:
                return None
            running = self.scanners.get(fullPath, [])
            return {
                "securityScanners": {"enabled": [], "pipelineRun": running},
                "vulnerabilities": lambda _info, first, after=None, **only: page(fullPath, first, after, **only),
                "repository": repository_graphql.gitlab_repository(self.projects[fullPath]),
            }

        def projects(info: Any, ids: list[str], first: int) -> Any:
            shown = [path for path, one in self.projects.items() if f"{GID}{one['settings'].get('id', 1)}" in ids]
            return {"nodes": [project(info, path) for path in shown[:first]]}

        asked = request.get_json()
        self.questions.append(asked["query"])
        if asked["query"].count("repository {") > self.most_at_once:
            return {"errors": [{"message": "Query has complexity of 312, which exceeds max complexity of 250"}]}
        root = {"project": project, "projects": projects}
        return graphql_sync(SCHEMA, asked["query"], root, variable_values=asked["variables"]).formatted

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
