"""Buildbot: deployments and test runs, by the builders that a service names."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from plugins import deployments
from plugins.connectors.buildbot.builds import Build, ended_at, run_of, whole
from plugins.connectors.buildbot.memory import Memory
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
    Target,
)
from plugins.deployments import SUCCEEDED, WINDOW, Deployment
from plugins.grouping import in_groups
from plugins.moments import rfc3339

DEPLOYS, TESTS = "sre.portal/buildbot-deploys", "sre.portal/buildbot-tests"
PAGE = 500
MAX_PAGES = 400
"""Of one run; the next one goes on where it ended."""
ALL_BUILDS = "builds"
TOO_MANY = "more have ended than a run reads ({count:,}): those since {last} follow in the next"
SERVICES_PER_BATCH = 200
HOURS_72 = timedelta(hours=72)

FACTS = (
    FactSpec("ci.enabled", FactType.BOOLEAN, "", "A builder runs the tests, and has run within 30 days.", HOURS_72),
    FactSpec("ci.tests_last_at", FactType.DATETIME, "", "When the tests last succeeded, within 30 days.", HOURS_72),
    FactSpec("ci.success_ratio_30d", FactType.NUMBER, "ratio", "Successes among the test runs of 30 days.", HOURS_72),
    *(spec for spec in deployments.FACTS if spec.key != "deploys.lead_time_median_30d"),
)


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

    def check(self, context: PullContext) -> str:
        """List the builders, and try the builds; raises PullFailed when no builder is one that a service names."""
        known = set(_builders(context).values())
        wanted = _claimed(context.targets)
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
        memory = Memory.loaded(context.cursor)
        cut = _read_builds(context, names, memory)
        known = set(names.values())
        yield _overview(context.targets, known, cut)
        targets = [target for target in context.targets if _named(target, DEPLOYS) or _named(target, TESTS)]
        for group in in_groups(targets, SERVICES_PER_BATCH):
            facts: list[Fact] = []
            events: list[Event] = []
            for target in group:
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


def _named(target: Target, key: str) -> list[str]:
    """Return the builders that a service names by an annotation."""
    return [name.strip() for name in target.annotations.get(key, "").split(",") if name.strip()]


def _claimed(targets: Sequence[Target]) -> set[str]:
    """Return the builders that some service names."""
    return {name for target in targets for key in (DEPLOYS, TESTS) for name in _named(target, key)}


def _overview(targets: Sequence[Target], known: set[str], cut: Sequence[PullFault]) -> Batch:
    """Return what no service gets facts of: builders that are not there, too busy, or claimed by nobody."""
    missing = [
        PullFault(target.ref, f"{key} names {name}, which Buildbot has not")
        for target in targets
        for key in (DEPLOYS, TESTS)
        for name in _named(target, key)
        if name not in known
    ]
    claimed = _claimed(targets)
    shortened = [fault for fault in cut if fault.scope in claimed | {ALL_BUILDS}]
    return Batch(faults=[*missing, *shortened], unmatched=sorted(known - claimed))


def _read_builds(context: PullContext, names: Mapping[int, str], memory: Memory) -> list[PullFault]:
    """Add to `memory` the builds that ended since the last pull; return what had to be left out."""
    since = context.now - WINDOW if context.reconcile else memory.since(context.now)
    last, count = None, 0
    for build in _builds(context, since):
        last, count = ended_at(build) or last, count + 1
        run, name = run_of(build), names.get(whole(build.get("builderid")) or 0)
        if run and name:
            memory.add(name, run)
    faults = memory.forget(context.now)
    memory.read_until = context.now
    if count >= MAX_PAGES * PAGE and last:
        memory.read_until = last
        faults.append(PullFault(ALL_BUILDS, TOO_MANY.format(count=count, last=rfc3339(last))))
    return faults


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


def _builds(context: PullContext, since: datetime) -> Iterator[Build]:
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


def _listed(context: PullContext, name: str, params: Mapping[str, str]) -> list[Build]:
    answer = context.client.get_json(f"api/v2/{name}", params)
    entries = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        raise PullFailed(FailureKind.BAD_ANSWER, f"api/v2/{name} answered no list of {name}")
    return [entry for entry in entries if isinstance(entry, dict)]


CONNECTOR = BuildbotConnector()
