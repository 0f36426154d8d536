"""Buildbot: deployments and test runs, by the builders that a service names."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from plugins.moments import required_moment, rfc3339

DEPLOYS, TESTS = "sre.portal/buildbot-deploys", "sre.portal/buildbot-tests"
PAGE = 500
MAX_PAGES = 400
"""Of one run; the next one goes on where it ended."""
ALL_BUILDS = "builds"
TOO_BUSY = f"has ended more than {MAX_REMEMBERED:,} builds in 30 days: only those since {{since}} are counted"
TOO_MANY = "more have ended than a run reads ({count:,}): those since {last} follow in the next"
OVERLAP = timedelta(hours=1)
"""Builds that came to their end while the last pull was under way are read again."""
SERVICES_PER_BATCH = 200
HOURS_72 = timedelta(hours=72)
OUTCOMES: Mapping[int | None, str] = {0: SUCCEEDED, 1: SUCCEEDED, 2: FAILED, 4: FAILED}
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
        """List the builders, and try the builds; raises PullFailed when no builder is one that a service names."""
        known = set(_builders(context).values())
        wanted = {name for target in context.targets for key in (DEPLOYS, TESTS) for name in _named(target, key)}
        if wanted and not wanted & known:
            there = ", ".join(sorted(known)[:5]) or "none"
            raise PullFailed(
                FailureKind.MISCONFIGURED,
                f"Buildbot answers, but has none of the builders that {DEPLOYS} and {TESTS} name; it has: {there}",
            )
        _listed(context, "builds", {"complete": "true", "limit": "1"})
        return f"Buildbot answers; {len(wanted & known)} of {len(wanted)} builders that services name are there"

    def pull(self, context: PullContext) -> Iterator[Batch]:
        """Read the builders once and the builds since the last pull, and yield what they mean for each service."""
        names = _builders(context)
        memory = _Memory.loaded(context.cursor)
        since = context.now - WINDOW if context.reconcile else memory.since(context.now)
        cut = memory.take(names, _builds(context, since), context.now)
        missing = [
            PullFault(target.ref, f"{key} names {name}, which Buildbot has not")
            for target in context.targets
            for key in (DEPLOYS, TESTS)
            for name in _named(target, key)
            if name not in names.values()
        ]
        claimed = {name for target in context.targets for key in (DEPLOYS, TESTS) for name in _named(target, key)}
        shortened = [fault for fault in cut if fault.scope in claimed | {ALL_BUILDS}]
        yield Batch(faults=[*missing, *shortened], unmatched=sorted(set(names.values()) - claimed))
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
    number, at, outcome = _whole(build.get("buildid")), _ended(build), OUTCOMES.get(_whole(build.get("results")))
    if number is None or at is None or outcome is None:
        return None
    given = build.get("properties")
    properties: Mapping[str, Sequence[Any]] = given if isinstance(given, dict) else {}
    properties = {name: pair for name, pair in properties.items() if isinstance(pair, list) and pair}
    revision = _property(properties, "got_revision") or _property(properties, "revision")
    by_hand = any(len(pair) > 1 and pair[1] == BY_HAND for pair in properties.values())
    by = _property(properties, "owner") or _property(properties, "scheduler")
    return Deployment(number, at, outcome, revision, by, not by_hand)


def _whole(number: Any) -> int | None:
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _ended(build: Mapping[str, Any]) -> datetime | None:
    """Return when a build came to its end: the specification has seconds since 1970."""
    try:
        return datetime.fromtimestamp(int(build["complete_at"]), UTC)
    except (LookupError, TypeError, ValueError, OverflowError, OSError):
        return None


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
    cut: dict[str, datetime] = field(default_factory=dict)
    """When the newest run came to its end that a builder was too busy for us to remember."""

    @classmethod
    def loaded(cls, cursor: str | None) -> "_Memory":
        """Read a cursor; one that cannot be read is as good as none."""
        try:
            stored = json.loads(cursor or "{}")
            runs = {str(name): deployments.remembered(rows) for name, rows in stored["runs"].items()}
            cut = {str(name): required_moment(at) for name, at in stored.get("cut", {}).items()}
            return cls(datetime.fromisoformat(stored["read_until"]), runs, cut)
        except (ValueError, TypeError, AttributeError, LookupError):
            return cls()

    def since(self, now: datetime) -> datetime:
        """Return from when on builds are to be read."""
        return max(self.read_until - OVERLAP, now - WINDOW) if self.read_until else now - WINDOW

    def take(self, names: Mapping[int, str], builds: Iterable[Mapping[str, Any]], now: datetime) -> list[PullFault]:
        """Add builds, the oldest first, and forget what is older than the window; return what had to be left out."""
        last, count = None, 0
        for build in builds:
            run, name = _run(build), names.get(_whole(build.get("builderid")) or 0)
            count, last = count + 1, _ended(build) or last
            if run and name:
                self.runs.setdefault(name, {})[run.id] = run
        self._forget(now)
        faults = [PullFault(name, TOO_BUSY.format(since=self._first_of(name, at))) for name, at in self.cut.items()]
        self.read_until = now
        if count >= MAX_PAGES * PAGE and last:
            self.read_until = last
            faults.append(PullFault(ALL_BUILDS, TOO_MANY.format(count=count, last=rfc3339(last))))
        return faults

    def _forget(self, now: datetime) -> None:
        """Keep the window only, and of that no more than may be remembered."""
        for name, runs in self.runs.items():
            recent = sorted((run for run in runs.values() if run.at >= now - WINDOW), key=lambda run: (run.at, run.id))
            if len(recent) > MAX_REMEMBERED:
                self.cut[name] = recent[-MAX_REMEMBERED - 1].at
            self.runs[name] = {run.id: run for run in recent[-MAX_REMEMBERED:]}
        self.cut = {name: at for name, at in self.cut.items() if at >= now - WINDOW}

    def _first_of(self, name: str, otherwise: datetime) -> str:
        return rfc3339(min((run.at for run in self.runs.get(name, {}).values()), default=otherwise))

    def of(self, names: Sequence[str]) -> list[Deployment]:
        """Return the runs of some builders, the oldest first."""
        found = [run for name in names for run in self.runs.get(name, {}).values()]
        return sorted(found, key=lambda run: (run.at, run.id))

    def dumped(self) -> str:
        """Return the cursor as text."""
        rows = {name: [run.stored() for run in runs.values()] for name, runs in self.runs.items()}
        until = self.read_until.isoformat() if self.read_until else ""
        cut = {name: rfc3339(at) for name, at in self.cut.items()}
        return json.dumps({"read_until": until, "runs": rows, "cut": cut}, separators=(",", ":"))


CONNECTOR = BuildbotConnector()
