"""Dashboards in Grafana's v2 schema: refused by the classic API, read where it points to."""

import pytest

from plugins.connectors.grafana import CONNECTOR
from tests.fakes.grafana import RESOURCES, Grafana
from tests.fakes.server import Fault
from tests.plugins.connectors.test_grafana import NOW, context, grafana, pull, values

__all__ = ["grafana"]


def query(expression: str, version: str = "v2", source: str = "prometheus") -> dict:
    kind = {"kind": source} if version == "v2alpha1" else {"kind": "DataQuery", "group": source, "version": "v0"}
    asked = {**kind, "spec": {"expr": expression, "editorMode": "code"}}
    return {"kind": "PanelQuery", "spec": {"query": asked, "refId": "A", "hidden": False}}


def panel(*queries: dict, title: str = "Panel") -> dict:
    data = {"kind": "QueryGroup", "spec": {"queries": list(queries), "transformations": [], "queryOptions": {}}}
    return {"kind": "Panel", "spec": {"id": 1, "title": title, "links": [], "data": data}}


def placed(*names: str) -> dict:
    items = [
        {"kind": "GridLayoutItem", "spec": {"x": 0, "element": {"kind": "ElementReference", "name": name}}}
        for name in names
    ]
    return {"kind": "GridLayout", "spec": {"items": items}}


def test_a_dashboard_in_the_v2_schema_is_read_with_tabs_rows_variables_and_library_panels(grafana: Grafana) -> None:
    def variable(kind: str, name: str, **spec: object) -> dict:
        return {"kind": kind, "spec": {"name": name, **spec}}

    row = {"title": "Row", "layout": placed("deep"), "variables": [variable("CustomVariable", "kind", query="a,b")]}
    rows = {"kind": "RowsLayout", "spec": {"rows": [{"kind": "RowsLayoutRow", "spec": row}]}}
    tabs = [{"kind": "TabsLayoutTab", "spec": {"layout": one}} for one in (rows, placed("plain", "lib", "logs"))]
    grafana.save_v2(
        "u1",
        "Checkout",
        NOW,
        tags=["checkout"],
        elements={
            "plain": panel(query("rate(${prefix}_total[$__rate_interval])")),
            "deep": panel(query("sum(reads_${kind}_total)")),
            "lib": {
                "kind": "LibraryPanel",
                "spec": {"id": 2, "title": "L", "libraryPanel": {"uid": "lib1", "name": ""}},
            },
            "logs": panel(query('{app="checkout"} |= "error"', source="loki")),
            "left_over": panel(query("nobody_sees_this")),
        },
        layout={"kind": "TabsLayout", "spec": {"tabs": tabs}},
        variables=[variable("ConstantVariable", "prefix", query="shop"), variable("QueryVariable", "job")],
    )
    source = {"type": "prometheus", "uid": "p1"}
    grafana.shared_panels["lib1"] = {"datasource": source, "targets": [{"refId": "A", "expr": "from_the_library"}]}

    batch = pull(grafana)

    assert batch.faults == []
    assert values(batch) == {
        "dashboard.count": 1,
        "dashboard.metrics": ["from_the_library", "reads_a_total", "reads_b_total", "shop_total"],
        "dashboard.updated_at": "2026-11-22T12:00:00Z",
    }


@pytest.mark.parametrize("version", ["v2alpha1", "v2beta1", "v2"])
def test_each_version_of_the_schema_is_read(grafana: Grafana, version: str) -> None:
    grafana.save_v2("u1", "One", NOW, version, tags=["checkout"], elements={"p": panel(query("up", version))})
    assert values(pull(grafana))["dashboard.metrics"] == ["up"]
    assert "select some" in CONNECTOR.check(context(grafana))


def test_what_is_newer_or_hidden_leaves_the_metrics_unknown(grafana: Grafana) -> None:
    grafana.save_v2("u1", "New", NOW, tags=["checkout"], elements={"a": {"kind": "Hologram", "spec": {}}})
    batch = pull(grafana)
    assert values(batch) == {"dashboard.count": 1}
    assert "'Hologram', which is not known yet" in batch.faults[0].message
    grafana.save("u3", "Fine", NOW, tags=["checkout"])
    grafana.save_v2("u2", "Hidden", NOW, tags=["checkout"], elements={"p": panel(query("up"))})
    grafana.faults.append(Fault(403, '{"message": "no"}', path=f"{RESOURCES}v2/namespaces/default/dashboards/u2"))
    batch = pull(grafana)
    assert values(batch) == {"dashboard.count": 3}
    assert [fault.scope for fault in batch.faults] == ["dashboard New", "dashboard Hidden"]


@pytest.mark.parametrize(
    "path", ["/api/dashboards/uid/u1", "//evil.example/apis/dashboard.grafana.app/v2/x", "/apis/x"]
)
def test_a_refusal_that_points_elsewhere_is_not_followed(grafana: Grafana, path: str) -> None:
    grafana.save("u1", "Odd", NOW, tags=["checkout"])
    grafana.save("u2", "Fine", NOW, tags=["checkout"])
    message = f'{{"message": "dashboard api version not supported, use {path} instead"}}'
    grafana.faults.append(Fault(406, message, path="/api/dashboards/uid/u1"))
    batch = pull(grafana)
    assert values(batch) == {"dashboard.count": 2}
    assert [fault.scope for fault in batch.faults] == ["dashboard Odd"]
