"""Grafana: folders, dashboards with versions, library panels, and the search with its pages."""

from datetime import datetime
from pathlib import Path
from typing import Any

from flask import request

from tests.fakes.argocd import rfc3339
from tests.fakes.server import Fake

RESOURCES = "/apis/dashboard.grafana.app/"


class Grafana(Fake):
    """Keeps dashboards; `save` makes a new version as the user interface does."""

    base_path = "/api"
    undocumented = frozenset({"/api/library-elements/", RESOURCES})

    def __init__(self, spec_file: Path, token: str = "fake-token") -> None:
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.shared_panels: dict[str, dict[str, Any]] = {}
        self.resources: dict[str, dict[str, Any]] = {}
        """Dashboards in the v2 schema, as Grafana's API of resources answers them."""
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
        self.app.get(f"{RESOURCES}<version>/namespaces/default/dashboards/<uid>")(self.resource)

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

    def save_v2(self, uid: str, title: str, updated: datetime, version: str = "v2", **spec: Any) -> None:
        """Create a dashboard in the v2 schema: elements, layout, variables may be given."""
        tags = spec.pop("tags", [])
        self.save(uid, title, updated, tags=tags)
        written = {"title": title, "tags": tags, "elements": {}, "variables": [], **spec}
        metadata = {
            "name": uid,
            "namespace": "default",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {"grafana.app/updatedTimestamp": rfc3339(updated)},
        }
        self.resources[uid] = {
            "kind": "Dashboard",
            "apiVersion": f"dashboard.grafana.app/{version}",
            "metadata": metadata,
            "spec": written,
        }

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
        if uid in self.resources:
            path = f"/apis/{self.resources[uid]['apiVersion']}/namespaces/default/dashboards/{uid}"
            return self.refuse(406, f"dashboard api version not supported, use {path} instead")
        return self.dashboards[uid]

    def resource(self, version: str, uid: str) -> Any:
        found = self.resources.get(uid, {})
        if found.get("apiVersion") != f"dashboard.grafana.app/{version}":
            return self.refuse(404, "not found")
        return found

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
