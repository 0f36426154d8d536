"""GitHub: repositories with branches, rules, runs, deployments and their statuses, paged as it pages."""

import base64
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import request

from tests.fakes import repository_graphql
from tests.fakes.argocd import rfc3339
from tests.fakes.server import Fake, in_part


class GitHub(Fake):
    """Keeps repositories by their slug. Answers are cut to what the connector reads, and each field of them is as the
    document says; requests are checked whole.
    """

    undocumented = frozenset({"/orgs/acme/dependabot/", "/graphql", "/api/graphql"})

    def __init__(self, spec_file: Path, token: str = "fake-token") -> None:
        self.repositories: dict[str, dict[str, Any]] = {}
        self.remaining = 4999
        self.alerts: list[dict[str, Any]] = []
        self.watched: set[str] = set()
        self.findings: dict[str, list[dict[str, Any]]] = {}
        """Of code scanning, by repository; one that is not here is not scanned."""
        self.questions: list[str] = []
        """What was asked by GraphQL."""
        super().__init__(spec_file, token)

    @classmethod
    def relax(cls, spec: dict[str, Any]) -> dict[str, Any]:
        """Answers are cut to what is read."""
        return in_part(spec)

    def register(self) -> None:
        self.app.get("/rate_limit")(self.rate_limit)
        self.app.get("/orgs/<org>/dependabot/alerts")(self.listed_alerts)
        self.app.get("/orgs/<org>/repos")(self.listed_repositories)
        self.app.post("/graphql", endpoint="graphql")(self.graphql)
        self.app.post("/api/graphql", endpoint="own graphql")(self.graphql)
        below = "/repos/<owner>/<repo>"
        for path, view in (
            ("", self.about),
            ("/branches/<branch>", self.branch),
            ("/branches/<branch>/protection", self.protection),
            ("/rules/branches/<branch>", self.rules),
            ("/codeowners/errors", self.codeowners),
            ("/actions/workflows", self.workflows),
            ("/actions/runs", self.runs),
            ("/deployments", self.deployments),
            ("/deployments/<int:deployment_id>/statuses", self.statuses),
            ("/compare/<basehead>", self.compare),
            ("/releases/latest", self.release),
            ("/releases", self.all_releases),
            ("/contents/<path:path>", self.contents),
            ("/commits", self.commits),
            ("/code-scanning/alerts", self.listed_findings),
        ):
            self.app.add_url_rule(below + path, path or "about", view)

    def is_documented(self) -> bool:
        return super().is_documented() and "/code-scanning/" not in request.path

    def finding(self, slug: str, created: datetime, severity: str = "critical") -> None:
        """What code scanning found and nobody has mended."""
        found = self.findings.setdefault(slug, [])
        rule = {"id": "py/sql-injection", "security_severity_level": severity}
        found.append({"number": len(found) + 1, "state": "open", "created_at": rfc3339(created), "rule": rule})

    def listed_findings(self, owner: str, repo: str) -> Any:
        assert (request.args["state"], request.args["sort"], request.args["direction"]) == ("open", "created", "asc")
        if f"{owner}/{repo}" not in self.findings:
            return self.refuse(404, "no analysis found")
        wanted = request.args["severity"]
        found = [one for one in self.findings[f"{owner}/{repo}"] if one["rule"]["security_severity_level"] == wanted]
        return self.next_page(sorted(found, key=lambda one: one["created_at"]))

    def alert(self, slug: str, created: datetime, severity: str) -> None:
        """What Dependabot found and nobody has mended."""
        self.alerts.append(
            {"number": len(self.alerts) + 1, "state": "open", "created_at": rfc3339(created),
             "repository": {"full_name": slug}, "security_vulnerability": {"severity": severity}}
        )  # fmt: skip

    def listed_alerts(self, org: str) -> Any:
        assert request.args["state"] == "open"
        return self.next_page([one for one in self.alerts if one["repository"]["full_name"].startswith(f"{org}/")])

    def next_page(self, found: list[dict[str, Any]]) -> Any:
        """A page of two, and a link with a cursor to the next one."""
        start = int(request.args.get("after", 0))
        asked = urlencode({**request.args.to_dict(), "after": start + 2})
        more = {"Link": f'<{request.base_url}?{asked}>; rel="next"'}
        return found[start : start + 2], 200, more if start + 2 < len(found) else {}

    def listed_repositories(self, org: str) -> Any:
        return [
            {"full_name": slug, "security_and_analysis": {"dependabot_security_updates": {"status": status}}}
            for slug in self.repositories
            for status in ["enabled" if slug in self.watched else "disabled"]
        ]

    def add(self, slug: str, **parts: Any) -> dict[str, Any]:
        made = {
            "branch": "main", "protected": False, "contexts": [], "protection": None, "rules": [], "codeowners": None,
            "workflows": [], "runs": [], "deployments": [], "commits": {}, "release": None, "releases": [],
            "files": {}, **parts,
        }  # fmt: skip
        self.repositories[slug] = made
        return made

    def deploy(self, slug: str, at: datetime, sha: str, *states: str, **more: Any) -> int:
        """A deployment whose statuses came one minute after another."""
        deployments = self.repositories[slug]["deployments"]
        number = more.pop("id", len(deployments) + 1)
        statuses = [
            {"id": number * 100 + position, "state": state, "created_at": rfc3339(at + timedelta(minutes=position))}
            for position, state in enumerate(states, 1)
        ]
        creator = {"login": more.pop("by", "deployer[bot]"), "type": more.pop("kind", "Bot")}
        deployments.append(
            {"id": number, "sha": sha, "environment": "production", "created_at": rfc3339(at), "creator": creator,
             "statuses": statuses[::-1], **more}
        )  # fmt: skip
        return number

    def _repository(self, owner: str, repo: str) -> dict[str, Any] | None:
        return self.repositories.get(f"{owner}/{repo}")

    def rate_limit(self) -> Any:
        return {"resources": {"core": {"limit": 5000, "remaining": self.remaining, "reset": 0}}}

    def about(self, owner: str, repo: str) -> Any:
        found = self._repository(owner, repo)
        if found is None:
            return self.refuse(404, "Not Found")
        return {"id": 1, "full_name": f"{owner}/{repo}", "default_branch": found["branch"],
                "html_url": f"https://github.example/{owner}/{repo}"}  # fmt: skip

    def branch(self, owner: str, repo: str, branch: str) -> Any:
        found = self.repositories[f"{owner}/{repo}"]
        required = {"required_status_checks": {"contexts": found["contexts"]}} if found["contexts"] else {}
        return {"name": branch, "protected": found["protected"], "protection": required}

    def protection(self, owner: str, repo: str, branch: str) -> Any:
        found = self.repositories[f"{owner}/{repo}"]["protection"]
        return found or self.refuse(404, f"Branch not protected: {branch}")

    def rules(self, owner: str, repo: str, branch: str) -> Any:
        return self.repositories[f"{owner}/{repo}"]["rules"]

    def codeowners(self, owner: str, repo: str) -> Any:
        found = self.repositories[f"{owner}/{repo}"]["codeowners"]
        return self.refuse(404, "Not Found") if found is None else {"errors": found}

    def workflows(self, owner: str, repo: str) -> Any:
        found = self.repositories[f"{owner}/{repo}"]["workflows"]
        return {"total_count": len(found), "workflows": [{"id": n, "state": state} for n, state in enumerate(found)]}

    def runs(self, owner: str, repo: str) -> Any:
        assert request.args["status"] == "completed"
        found = self.repositories[f"{owner}/{repo}"]["runs"]
        return {"total_count": len(found), "workflow_runs": found}

    def deployments(self, owner: str, repo: str) -> Any:
        limit, page = int(request.args["per_page"]), int(request.args["page"])
        found = sorted(
            self.repositories[f"{owner}/{repo}"]["deployments"], key=lambda one: one["created_at"], reverse=True
        )
        shown = found[(page - 1) * limit : page * limit]
        return [{key: value for key, value in one.items() if key != "statuses"} for one in shown]

    def statuses(self, owner: str, repo: str, deployment_id: int) -> Any:
        for one in self.repositories[f"{owner}/{repo}"]["deployments"]:
            if one["id"] == deployment_id:
                return one["statuses"]
        return self.refuse(404, "Not Found")

    def compare(self, owner: str, repo: str, basehead: str) -> Any:
        found = self.repositories[f"{owner}/{repo}"]["commits"].get(basehead)
        if found is None:
            return self.refuse(404, "Not Found")
        return {"status": "ahead", "commits": [{"commit": {"author": {"date": rfc3339(at)}}} for at in found]}

    def release(self, owner: str, repo: str) -> Any:
        found = self.repositories[f"{owner}/{repo}"]["release"]
        return {"id": 1, "published_at": rfc3339(found)} if found else self.refuse(404, "Not Found")

    def all_releases(self, owner: str, repo: str) -> Any:
        return self.repositories[f"{owner}/{repo}"]["releases"]

    def graphql(self) -> Any:
        self.questions.append(request.get_json()["query"])
        return repository_graphql.github_answer(request.get_json(), self.repositories)

    def contents(self, owner: str, repo: str, path: str) -> Any:
        """Files are kept as (text, when it was put there) by their path."""
        files = self.repositories[f"{owner}/{repo}"]["files"]
        if path in files:
            content = base64.encodebytes(files[path][0].encode()).decode()
            return {"type": "file", "path": path, "encoding": "base64", "content": content}
        below = [one for one in files if one.startswith(f"{path}/")]
        shown = [
            {"type": "file", "path": one, "html_url": f"https://github.example/{owner}/{repo}/blob/main/{one}"}
            if "/" not in one[len(path) + 1 :]
            else {"type": "dir", "path": one.rpartition("/")[0]}
            for one in below
        ]
        return shown or self.refuse(404, "Not Found")

    def commits(self, owner: str, repo: str) -> Any:
        at = self.repositories[f"{owner}/{repo}"]["files"][request.args["path"]][1]
        dates = [at + timedelta(days=2), at]
        return [{"commit": {"committer": {"date": rfc3339(date)}}} for date in dates]
