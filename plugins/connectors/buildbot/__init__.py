"""Buildbot: deployments and test runs, by the builders that a service names."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from marshmallow import Schema

from plugins import deployments
from plugins.contract import (
    AnnotationSpec,
    Batch,
    Connector,
    Event,
    Fact,
    FactSpec,
    FactType,
    FactValue,
    FailureKind,
    PullContext,
    PullFailed,
    PullFault,
)
from plugins.deployments import FAILED, MAX_REMEMBERED, SUCCEEDED, WINDOW, Deployment
from plugins.moments import rfc3339

DEPLOYS, TESTS = "sre.portal/buildbot-deploys", "sre.portal/buildbot-tests"
PAGE = 500
MAX_PAGES = 400
OVERLAP = timedelta(hours=1)
"""Builds that came to their end while the last pull was under way are read again."""
SERVICES_PER_BATCH = 200
HOURS_72 = timedelta(hours=72)
OUTCOMES = {0: SUCCEEDED, 1: SUCCEEDED, 2: FAILED, 4: FAILED}
"""Buildbot's results: success, warnings, failure, exception. Skipped, retried and cancelled ones count for nothing."""
BY_HAND = "Force Build Form"
"""Where a property comes from that a person filled in."""

FACTS = (
    FactSpec("ci.enabled", FactType.BOOLEAN, "", "A builder runs the tests, and has run within 30 days.", HOURS_72),
    FactSpec("ci.tests_last_at", FactType.DATETIME, "", "When the tests last succeeded, within 30 days.", HOURS_72),
    FactSpec("ci.success_ratio_30d", FactType.NUMBER, "ratio", "Successes among the test runs of 30 days.", HOURS_72),
    *(spec for spec in deployments.FACTS if spec.key != "deploys.lead_time_median_30d"),
)


class OptionsSchema(Schema):
    """There is nothing to set."""


class BuildbotConnector(Connector):
    """Reads one Buildbot master."""

    name: ClassVar[str] = "buildbot"
    title: ClassVar[str] = "Buildbot"
    facts = FACTS
    events = deployments.EVENTS
    annotations = (
        AnnotationSpec(
            DEPLOYS,
            "Names of the builders that deploy the service, several with commas.",
            "deploy-checkout",
            needed=True,
        ),
        AnnotationSpec(TESTS, "Names of the builders that test it.", "test-checkout", needed=True),
    )
    permissions = ("read /api/v2/builders and /api/v2/builds",)
    options_schema = OptionsSchema

    def check(self, context: PullContext) -> str:
        """List the builders; raises PullFailed when none that a service names is among them."""
        known = set(_builders(context).values())
        wanted = {name for target in context.targets for key in (DEPLOYS, TESTS) for name in _named(target, key)}
        if wanted and not wanted & known:
            there = ", ".join(sorted(known)[:5]) or "none"
            raise PullFailed(
                FailureKind.MISCONFIGURED,
                f"Buildbot answers, but has none of the builders that {DEPLOYS} and {TESTS} name; it has: {there}",
            )
        return f"Buildbot answers; {len(wanted & known)} of {len(wanted)} builders that services name are there"

    def pull(self, context: PullContext) -> Iterator[Batch]:
        """Read the builders once and the builds since the last pull, and yield what they mean for each service."""
        names = _builders(context)
        memory = _Memory.loaded(context.cursor)
        since = context.now - WINDOW if context.reconcile else memory.since(context.now)
        memory.take(names, _builds(context, since), context.now)
        missing = [
            PullFault(target.ref, f"{key} names {name}, which Buildbot has not")
            for target in context.targets
            for key in (DEPLOYS, TESTS)
            for name in _named(target, key)
            if name not in names.values()
        ]
        claimed = {name for target in context.targets for key in (DEPLOYS, TESTS) for name in _named(target, key)}
        yield Batch(faults=missing, unmatched=sorted(set(names.values()) - claimed))
        targets = [target for target in context.targets if _named(target, DEPLOYS) or _named(target, TESTS)]
        known = set(names.values())
        for start in range(0, len(targets), SERVICES_PER_BATCH):
            facts: list[Fact] = []
            events: list[Event] = []
            for target in targets[start : start + SERVICES_PER_BATCH]:
                deploys = [name for name in _named(target, DEPLOYS) if name in known]
                tests = [name for name in _named(target, TESTS) if name in known]
                values: dict[str, FactValue] = {}
                if deploys:
                    found = memory.of(deploys)
                    values |= deployments.facts_of(found)
                    events += deployments.events_of(target.ref, ",".join(deploys), "", found)
                if tests:
                    values |= _tested(memory.of(tests))
                facts += [Fact(target.ref, key, value, context.now) for key, value in values.items()]
            yield Batch(facts=facts, events=events)
        yield Batch(cursor=memory.dumped())


def _named(target: Any, key: str) -> list[str]:
    return [name.strip() for name in target.annotations.get(key, "").split(",") if name.strip()]


def _tested(runs: Sequence[Deployment]) -> dict[str, FactValue]:
    succeeded = [run for run in runs if run.outcome == SUCCEEDED]
    found: dict[str, FactValue] = {"ci.enabled": bool(runs)}
    if runs:
        found["ci.success_ratio_30d"] = round(len(succeeded) / len(runs), 4)
    if succeeded:
        found["ci.tests_last_at"] = rfc3339(max(run.at for run in succeeded))
    return found


def _builders(context: PullContext) -> dict[int, str]:
    """Return the names of the builders by their id."""
    found = _listed(context, "builders", {})
    return {
        one["builderid"]: str(one["name"]) for one in found if isinstance(one.get("builderid"), int) and one.get("name")
    }


def _builds(context: PullContext, since: datetime) -> Iterator[Mapping[str, Any]]:
    """Yield the builds that came to their end since a moment, the oldest first."""
    asked = {
        "complete": "true",
        "complete_at__gt": str(int(since.timestamp())),
        "order": "complete_at",
        "property": "*",
        "limit": str(PAGE),
    }
    for page in range(MAX_PAGES):
        found = _listed(context, "builds", {**asked, "offset": str(page * PAGE)})
        yield from found
        if len(found) < PAGE:
            return


def _listed(context: PullContext, name: str, params: Mapping[str, str]) -> list[Mapping[str, Any]]:
    answer = context.client.get_json(f"api/v2/{name}", params)
    entries = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        raise PullFailed(FailureKind.BAD_ANSWER, f"api/v2/{name} answered no list of {name}")
    return [entry for entry in entries if isinstance(entry, dict)]


def _run(build: Mapping[str, Any]) -> Deployment | None:
    """Return what a build was, or None when it counts for nothing."""
    outcome = OUTCOMES.get(build.get("results", -1))
    if outcome is None or build.get("complete_at") is None:
        return None
    properties: Mapping[str, Sequence[Any]] = build.get("properties") or {}
    revision = _property(properties, "got_revision") or _property(properties, "revision")
    by_hand = any(len(pair) > 1 and pair[1] == BY_HAND for pair in properties.values())
    by = _property(properties, "owner") or _property(properties, "scheduler")
    at = datetime.fromtimestamp(int(build["complete_at"]), UTC)
    return Deployment(int(build["buildid"]), at, outcome, revision, by, not by_hand)


def _property(properties: Mapping[str, Sequence[Any]], name: str) -> str:
    """Return a property's value; several code bases make a revision of several."""
    value = (properties.get(name) or [""])[0]
    if isinstance(value, dict):
        return ",".join(str(one) for one in value.values())
    return str(value or "")


@dataclass
class _Memory:
    """The cursor: the runs of 30 days by builder, and up to when they were read."""

    read_until: datetime | None = None
    runs: dict[str, dict[int, Deployment]] = field(default_factory=dict)

    @classmethod
    def loaded(cls, cursor: str | None) -> "_Memory":
        """Read a cursor; one that cannot be read is as good as none."""
        try:
            stored = json.loads(cursor or "{}")
            runs = {str(name): deployments.remembered(rows) for name, rows in stored["runs"].items()}
            return cls(datetime.fromisoformat(stored["read_until"]), runs)
        except (ValueError, TypeError, AttributeError, LookupError):
            return cls()

    def since(self, now: datetime) -> datetime:
        """Return from when on builds are to be read."""
        return max(self.read_until - OVERLAP, now - WINDOW) if self.read_until else now - WINDOW

    def take(self, names: Mapping[int, str], builds: Iterator[Mapping[str, Any]], now: datetime) -> None:
        """Add builds, and forget what is older than the window."""
        for build in builds:
            run, name = _run(build), names.get(int(build.get("builderid") or 0))
            if run and name:
                self.runs.setdefault(name, {})[run.id] = run
        for name, runs in self.runs.items():
            recent = sorted((run for run in runs.values() if run.at >= now - WINDOW), key=lambda run: (run.at, run.id))
            self.runs[name] = {run.id: run for run in recent[-MAX_REMEMBERED:]}
        self.read_until = now

    def of(self, names: Sequence[str]) -> list[Deployment]:
        """Return the runs of some builders, the oldest first."""
        found = [run for name in names for run in self.runs.get(name, {}).values()]
        return sorted(found, key=lambda run: (run.at, run.id))

    def dumped(self) -> str:
        """Return the cursor as text."""
        rows = {name: [run.stored() for run in runs.values()] for name, runs in self.runs.items()}
        until = self.read_until.isoformat() if self.read_until else ""
        return json.dumps({"read_until": until, "runs": rows}, separators=(",", ":"))


CONNECTOR = BuildbotConnector()
