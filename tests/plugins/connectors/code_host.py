"""Both code hosts, as the tests of files in repositories see them."""

from typing import Any

from plugins.connectors import github as github_connector
from plugins.connectors import gitlab as gitlab_connector
from plugins.contract import Batch, PullContext, Target
from plugins.http_client import Limits, SourceClient
from portal_backend.core.config import Secret, SourceAuth
from tests.plugins.connectors.github_pulls import NOW
from tests.plugins.connectors.reading import joined

SLUG, REF = "acme/checkout", "component:default/checkout"
ANNOTATIONS = {"github": "github.com/project-slug", "gitlab": "gitlab.com/project-slug"}
LOCATION = "backstage.io/source-location"


class Host:
    """One of both code hosts, with the connector that reads it."""

    def __init__(self, name: str, fake: Any) -> None:
        self.name, self.fake = name, fake
        self.connector = {"github": github_connector, "gitlab": gitlab_connector}[name].CONNECTOR

    def add(self, files: dict[str, Any], slug: str = SLUG, **parts: Any) -> None:
        kept = {path: (text, NOW) for path, text in files.items()}
        parts = {"files": kept, **parts} if self.name == "github" else {"texts": kept, **parts}
        self.fake.add(slug, **parts)

    def hide(self, slug: str) -> None:
        found = self.fake.repositories if self.name == "github" else self.fake.projects
        found[slug]["hidden" if self.name == "github" else "files_hidden"] = True

    def target(self, slug: str = SLUG, ref: str = REF, **annotations: str) -> Target:
        return Target(ref, ref.rpartition("/")[2], {ANNOTATIONS[self.name]: slug, **annotations})

    def located(self, folder: str, slug: str = SLUG, ref: str = REF) -> Target:
        tree = "tree" if self.name == "github" else "-/tree"
        return self.target(slug, ref, **{LOCATION: f"url:https://code.example/{slug}/{tree}/main/{folder}/"})

    def context(self, *targets: Target, cursor: str | None = None, files: Any = (), **options: Any) -> PullContext:
        secret = Secret(f"${{{self.name.upper()}_TOKEN}}")
        auth = SourceAuth(token=secret) if self.name == "github" else SourceAuth(header="PRIVATE-TOKEN", value=secret)
        loaded = self.connector.options_schema().load({"files": list(files), **options})
        client = SourceClient(self.fake.url, auth, Limits(attempts=1))
        return PullContext(self.name, client, loaded, targets or (self.target(),), NOW, cursor)

    def pull(self, *files: dict[str, Any], targets: tuple[Target, ...] = (), **options: Any) -> Batch:
        return joined(self.connector, self.context(*targets, files=files, **options))

    def read(self, *files: dict[str, Any], targets: tuple[Target, ...] = (), ref: str = REF) -> dict[str, Any]:
        """Return the facts of files, by the last part of their keys."""
        keys = {one["fact"] for one in files}
        pulled = self.pull(*files, targets=targets)
        return {
            fact.key.rpartition(".")[2]: fact.value for fact in pulled.facts if fact.key in keys and fact.ref == ref
        }

    def asked(self) -> list[str]:
        return [question for question in self.fake.questions if "securityScanners" not in question]


def entry(name: str, path: Any, **asked: Any) -> dict[str, Any]:
    return {"fact": f"repo.file.{name}", "path": path, **asked}
