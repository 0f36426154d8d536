"""A simulated Grafana: search and dashboards over the JSON files of a folder, read anew at each request.

Saving a file is saving the dashboard: its version and its time of update are those of the file.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from examples.simulated import server

DEFAULT_LIMIT, MAX_LIMIT = 1000, 5000
"""Of Grafana's own search."""
SEARCH_PARAMETERS = frozenset(
    {
        "query",
        "tag",
        "type",
        "dashboardIds",
        "dashboardUIDs",
        "folderIds",
        "folderUIDs",
        "starred",
        "limit",
        "page",
        "permission",
        "sort",
    }
)


def create_app(dashboards: Path) -> Flask:
    """Return the application over a folder of dashboards in Grafana's JSON model."""
    app = server.make_app("simulated-grafana", "Grafana")

    def search() -> Response:
        if unknown := set(request.args) - SEARCH_PARAMETERS:
            return _refuse(422, f"the simulated Grafana does not know the parameters {sorted(unknown)}")
        try:
            limit, page = int(request.args.get("limit", DEFAULT_LIMIT)), int(request.args.get("page", 1))
        except ValueError:
            return _refuse(422, "limit and page must be numbers")
        if not 1 <= limit <= MAX_LIMIT or page < 1:
            return _refuse(422, f"Limit is above maximum allowed ({MAX_LIMIT}), use page parameter to access hits")
        hits = [_hit(number, path, one) for number, (path, one) in enumerate(_read(dashboards), 1) if _found(one)]
        return server.answer(hits[(page - 1) * limit : page * limit])

    def dashboard(uid: str) -> Response:
        for path, one in _read(dashboards):
            if one["uid"] == uid:
                return server.answer(_full(path, one))
        return _refuse(404, "Dashboard not found")

    app.add_url_rule("/api/search", "search", search)
    app.add_url_rule("/api/dashboards/uid/<uid>", "dashboard", dashboard)
    app.add_url_rule(
        "/api/health",
        "health",
        lambda: server.answer({"commit": "simulated", "database": "ok", "version": server.VERSION}),
    )
    return app


def _refuse(status: int, message: str) -> Response:
    return server.answer({"message": message}, status)


def _read(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the dashboards; a file that is being edited and is not JSON just now is left out, as if unsaved."""
    for path in sorted(folder.glob("*.json")):
        try:
            document = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if isinstance(document, dict) and isinstance(document.get("uid"), str):
            yield path, document


def _found(dashboard: dict[str, Any]) -> bool:
    tags = dashboard.get("tags", [])
    return (
        request.args.get("type", "dash-db") == "dash-db"
        and all(tag in tags for tag in request.args.getlist("tag"))
        and request.args.get("query", "").lower() in dashboard["title"].lower()
        and dashboard["uid"] in (request.args.getlist("dashboardUIDs") or [dashboard["uid"]])
    )


def _url(dashboard: dict[str, Any]) -> str:
    return f"/d/{dashboard['uid']}/{_slug(dashboard)}"


def _slug(dashboard: dict[str, Any]) -> str:
    return "-".join(dashboard["title"].lower().split())


def _hit(number: int, path: Path, dashboard: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": number,
        "uid": dashboard["uid"],
        "title": dashboard["title"],
        "uri": f"db/{_slug(dashboard)}",
        "url": _url(dashboard),
        "slug": "",
        "type": "dash-db",
        "tags": dashboard.get("tags", []),
        "isStarred": False,
        "sortMeta": 0,
    }


def _full(path: Path, dashboard: dict[str, Any]) -> dict[str, Any]:
    saved = path.stat().st_mtime
    meta = {
        "type": "db",
        "canSave": False,
        "slug": _slug(dashboard),
        "url": _url(dashboard),
        "version": int(saved),
        "created": server.rfc3339(saved),
        "updated": server.rfc3339(saved),
        "createdBy": "simulated",
        "updatedBy": "simulated",
    }
    return {"meta": meta, "dashboard": {**dashboard, "version": int(saved)}}
