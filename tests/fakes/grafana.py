"""Grafana: folders, dashboards with versions, library panels, and the search with its pages."""

from datetime import datetime
from pathlib import Path
from typing import Any

from flask import request

from tests.fakes.argocd import rfc3339
from tests.fakes.server import Fake


class Grafana(Fake):
    """Keeps dashboards; `save` makes a new version as the user interface does."""

    base_path = "/api"
    undocumented = frozenset({"/api/library-elements/"})

    def __init__(self, spec_file: Path, token: str = "fake-token") -> None:
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.shared_panels: dict[str, dict[str, Any]] = {}
        self.page_limit = 5000
        super().__init__(spec_file, token)

    @classmethod
    def relax(cls, spec: dict[str, Any]) -> dict[str, Any]:
        """The document describes `dashboard` as a Kubernetes resource; the server answers its own JSON."""
        spec["components"]["schemas"]["Dashboard"] = {"type": "object"}
        return spec

    def register(self) -> None:
        self.app.get("/api/search")(self.search)
        self.app.get("/api/dashboards/uid/<uid>")(self.dashboard)
        self.app.get("/api/library-elements/<uid>")(self.library_element)

    def save(self, uid: str, title: str, updated: datetime, **parts: Any) -> dict[str, Any]:
        """Create or replace a dashboard: tags, folder, panels, rows, templating may be given."""
        version = self.dashboards[uid]["meta"]["version"] + 1 if uid in self.dashboards else 1
        model = {"uid": uid, "title": title, "tags": parts.get("tags", []), "version": version}
        model |= {key: parts[key] for key in ("panels", "rows", "templating") if key in parts}
        meta = {
            "slug": title.lower().replace(" ", "-"),
            "url": f"/d/{uid}/{title.lower().replace(' ', '-')}",
            "updated": rfc3339(updated),
            "created": rfc3339(updated),
            "version": version,
            "folderTitle": parts.get("folder", "General"),
        }
        self.dashboards[uid] = {"dashboard": model, "meta": meta}
        return self.dashboards[uid]

    def search(self) -> Any:
        if not 1 <= int(request.args.get("limit", 1000)) <= 5000:
            return self.refuse(422, "limit is above 5000")
        limit, page = min(self.page_limit, int(request.args.get("limit", 1000))), int(request.args.get("page", 1))
        tags = request.args.getlist("tag")
        hits = [_hit(number, uid, d) for number, (uid, d) in enumerate(sorted(self.dashboards.items()), 1)]
        hits = [hit for hit in hits if all(tag in hit["tags"] for tag in tags)]
        return hits[(page - 1) * limit : page * limit]

    def dashboard(self, uid: str) -> Any:
        if uid not in self.dashboards:
            return self.refuse(404, "Dashboard not found")
        return self.dashboards[uid]

    def library_element(self, uid: str) -> Any:
        if uid not in self.shared_panels:
            return self.refuse(404, "library element could not be found")
        return {"result": {"uid": uid, "kind": 1, "model": self.shared_panels[uid]}}


def _hit(number: int, uid: str, dashboard: dict[str, Any]) -> dict[str, Any]:
    hit = {
        "id": number,
        "uid": uid,
        "title": dashboard["dashboard"]["title"],
        "uri": f"db/{dashboard['meta']['slug']}",
        "url": dashboard["meta"]["url"],
        "type": "dash-db",
        "tags": dashboard["dashboard"]["tags"],
        "isStarred": False,
    }
    folder = dashboard["meta"]["folderTitle"]
    if folder != "General":
        hit |= {"folderTitle": folder, "folderUrl": f"/dashboards/f/{folder.lower()}", "folderUid": folder.lower()}
    return hit
