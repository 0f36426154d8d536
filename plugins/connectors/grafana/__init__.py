"""Grafana: which dashboards a service has, and which metrics they show."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from marshmallow import Schema, fields, validate

from plugins import parts
from plugins.connectors.grafana import schema_v2
from plugins.connectors.grafana.dashboards import metrics_of, read_panel, variables_of
from plugins.connectors.grafana.joining import SELECTOR, UID, is_claiming, join
from plugins.connectors.grafana.selectors import Dashboard, dashboard_of
from plugins.contract import (
    AnnotationSpec,
    Batch,
    Connector,
    Fact,
    FactSpec,
    FactType,
    FailureKind,
    PullContext,
    PullFailed,
    PullFault,
)
from plugins.grouping import in_groups
from plugins.moments import moment, rfc3339

SEARCH_PATH = "api/search"
MAX_PAGES = 200
SERVICES_PER_BATCH = 200
HOURS_72 = timedelta(hours=72)
"""An outage of the source shall not change a level for 72 hours."""

_EMPTY_SEARCH = (
    "Grafana finds no dashboard: the service account's role needs dashboards:read on the folders (it answers an empty "
    "list instead of a refusal), or the option tag leaves nothing"
)


class OptionsSchema(Schema):
    """Which dashboards are looked at."""

    tag = fields.String(load_default="", metadata={"description": "Only dashboards with this tag."})
    page_size = fields.Integer(
        load_default=1000,
        validate=validate.Range(1, 5000),
        metadata={"description": "Dashboards per page of the search."},
    )


@dataclass(frozen=True)
class Content:
    """What was read of one dashboard."""

    metrics: frozenset[str]
    updated_at: datetime | None
    complete: bool
    """False when a part of it could not be read: its metrics are too few."""


class GrafanaConnector(Connector):
    """Reads the dashboards of one Grafana."""

    name: ClassVar[str] = "grafana"
    title: ClassVar[str] = "Grafana"
    facts = (
        FactSpec("dashboard.count", FactType.INTEGER, "count", "Dashboards that the service selects.", HOURS_72),
        FactSpec("dashboard.metrics", FactType.SET, "", "Metrics that a panel of these dashboards asks for.", HOURS_72),
        FactSpec(
            "dashboard.updated_at", FactType.DATETIME, "", "When one of these dashboards was last saved.", HOURS_72
        ),
    )
    annotations = (
        AnnotationSpec(
            SELECTOR,
            "Expression that selects dashboards, `tags @> 'checkout'`; a bare word is a tag.",
            "checkout",
            needed=True,
        ),
        AnnotationSpec(
            UID, "Uid of the service's dashboard, or several with commas between.", "cIBgcSjkk", needed=True
        ),
    )
    permissions = ("dashboards:read", "library.panels:read")
    options_schema = OptionsSchema

    def check(self, context: PullContext) -> str:
        """Search, say how many services find dashboards, and read those of one; raises PullFailed."""
        dashboards = _search(context)
        if not dashboards:
            raise PullFailed(FailureKind.PERMISSION, _EMPTY_SEARCH)
        joined = join(context.targets, dashboards)
        claiming = sum(1 for target in context.targets if is_claiming(target))
        selecting = sum(1 for found in joined.dashboards.values() if found)
        answered = f"Grafana finds {len(dashboards)} dashboards; {claiming} services carry {SELECTOR} or {UID}"
        if claiming and not selecting:
            first = "".join(f"; {fault.scope}: {fault.message}" for fault in joined.faults[:1])
            there = ", ".join(sorted(dashboard.title for dashboard in dashboards)[:5])
            message = f"{answered}, and none of them selects one{first}; the token sees: {there}"
            raise PullFailed(FailureKind.MISCONFIGURED, message)
        reader = _Reader(context)
        for ref, found in [one for one in joined.dashboards.items() if one[1]][:1]:
            reader.facts(ref, found[:1])
        return parts.checked(f"{answered}, {selecting} of them select some", reader.take_faults())

    def pull(self, context: PullContext) -> Iterator[Batch]:
        """Search once, then read each dashboard that some service selects, once."""
        dashboards = _search(context)
        if not dashboards and any(is_claiming(target) for target in context.targets):
            raise PullFailed(FailureKind.PERMISSION, _EMPTY_SEARCH)
        joined = join(context.targets, dashboards)
        claimed = {dashboard.uid for chosen in joined.dashboards.values() for dashboard in chosen}
        unmatched = sorted(dashboard.title for dashboard in dashboards if dashboard.uid not in claimed)
        yield Batch(faults=joined.faults, unmatched=unmatched)
        reader = _Reader(context)
        for group in in_groups(joined.dashboards.items(), SERVICES_PER_BATCH):
            facts = [fact for ref, chosen in group for fact in reader.facts(ref, chosen)]
            yield Batch(facts=facts, faults=reader.take_faults())
        reader.fail_if_all_failed()


class _Reader:
    """Reads dashboards and library panels, each once in a pull."""

    def __init__(self, context: PullContext) -> None:
        self._context = context
        self._contents: dict[str, Content | None] = {}
        self._library: dict[str, dict[str, Any] | None] = {}
        self._faults: list[PullFault] = []
        self._last_failure: PullFailed | None = None

    def take_faults(self) -> list[PullFault]:
        """Return the faults since the last call."""
        faults, self._faults = self._faults, []
        return faults

    def fail_if_all_failed(self) -> None:
        """Raise PullFailed when there were dashboards to read and not one of them could be read."""
        if self._last_failure and not any(self._contents.values()):
            raise self._last_failure

    def facts(self, ref: str, chosen: Sequence[Dashboard]) -> list[Fact]:
        """Return a service's facts. Where a dashboard could not be read, what its panels show is not known."""
        now = self._context.now
        found = [Fact(ref, "dashboard.count", len(chosen), now)]
        contents = [self._content(dashboard) for dashboard in chosen]
        read = [content for content in contents if content is not None]
        if all(content.complete for content in read) and len(read) == len(contents):
            metrics = sorted({metric for content in read for metric in content.metrics})
            found.append(Fact(ref, "dashboard.metrics", metrics, now))
        saved = [content.updated_at for content in read if content.updated_at]
        if saved and len(read) == len(contents):
            found.append(Fact(ref, "dashboard.updated_at", rfc3339(max(saved)), now))
        return found

    def _content(self, dashboard: Dashboard) -> Content | None:
        if dashboard.uid not in self._contents:
            self._contents[dashboard.uid] = self._read(dashboard)
        return self._contents[dashboard.uid]

    def _read(self, dashboard: Dashboard) -> Content | None:
        """Read one dashboard, or note why that cannot be done; raises PullFailed when it is not its own fault."""
        scope = f"dashboard {dashboard.title or dashboard.uid}"
        try:
            answer = self._get(f"api/dashboards/uid/{quote(dashboard.uid, safe='')}", scope)
            if answer is None:
                return None
            model, updated = schema_v2.read(answer)
            shown = metrics_of(model)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self._faults.append(PullFault(scope, f"cannot be read: {error}"))
            return None
        variables = variables_of(model)
        complete = True
        for uid in sorted(shown.library_panels):
            panel = self._library_panel(uid, scope)
            complete = complete and panel is not None
            read_panel(panel or {}, variables, shown)
        self._faults += [PullFault(scope, fault) for fault in shown.faults]
        return Content(frozenset(shown.metrics), moment(updated), complete)

    def _library_panel(self, uid: str, scope: str) -> dict[str, Any] | None:
        if uid not in self._library:
            answer = self._get(f"api/library-elements/{quote(uid, safe='')}", f"{scope}, library panel {uid}")
            element = answer.get("result") if isinstance(answer, dict) else None
            model = element.get("model") if isinstance(element, dict) else None
            self._library[uid] = model if isinstance(model, dict) else None
        return self._library[uid]

    def _get(self, path: str, scope: str) -> Any | None:
        try:
            return self._context.client.get_json(path)
        except PullFailed as failure:
            elsewhere = schema_v2.path_named_by(failure)
            if elsewhere and elsewhere != path:
                return self._get(elsewhere, scope)
            self._faults.append(parts.fault(scope, failure, parts.GONE))
            self._last_failure = failure
            return None


def _search(context: PullContext) -> list[Dashboard]:
    """Return all dashboards, page by page until a page brings nothing new."""
    fixed = [("type", "dash-db"), ("limit", str(context.options["page_size"]))]
    if context.options["tag"]:
        fixed.append(("tag", context.options["tag"]))
    found: dict[str, Dashboard] = {}
    for page in range(1, MAX_PAGES + 1):
        hits = context.client.get_json(SEARCH_PATH, [*fixed, ("page", str(page))])
        if not isinstance(hits, list):
            raise PullFailed(FailureKind.BAD_ANSWER, f"{SEARCH_PATH} answered no list of dashboards")
        read = [dashboard_of(hit) for hit in hits if isinstance(hit, dict) and hit.get("uid")]
        new = {dashboard.uid: dashboard for dashboard in read}
        if new.keys() <= found.keys():
            break
        found |= new
    return list(found.values())


CONNECTOR = GrafanaConnector()
