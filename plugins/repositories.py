"""What connectors to code hosts share: options, the facts of a repository, and reading repositories in turn."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from marshmallow import fields, validate

from plugins import deployments, in_turn, repository_stories
from plugins.contract import (
    Batch,
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
from plugins.moments import rfc3339

WINDOW = timedelta(days=30)
_TRUSTED = timedelta(hours=72)
OLD = timedelta(days=30)
"""The age from which a critical vulnerability counts."""
ALL_UNSEEN = (
    "it answers, but shows the credentials no repository that was asked for, as if there were none: see the names in "
    "the annotations, and which repositories the token may read"
)

Read = Callable[[str, Sequence[str], Sequence[str], in_turn.Memory], Batch]
"""Reads one repository: its name, the services in it, the names of production environments, and what is remembered."""

EVENTS = (*deployments.EVENTS, *repository_stories.EVENTS)


class OptionsSchema(repository_stories.OptionsSchema):
    """Which deployments count, and where stories lie."""

    environments = fields.List(
        fields.String(validate=validate.Length(min=1)),
        load_default=lambda: ["production", "prod"],
        metadata={"description": "Environments that are production; one that is marked as such is in any case."},
    )


def hidden_of(name: str, ask: Callable[[], list[PullFault]], unseen: str) -> list[PullFault]:
    """Return what a check found hidden in one repository.

    Raises PullFailed(permission) with the words of `unseen` where the token does not see the repository itself.
    """
    try:
        return [replace(fault, scope=f"{name}: {fault.scope}") for fault in ask()]
    except PullFailed as failure:
        if failure.status == 404:
            raise PullFailed(FailureKind.PERMISSION, f"{unseen} {name}: see its name and rights") from None
        raise


def requests_per_run(usual: int, most: int) -> fields.Integer:
    """Return the option that bounds what a run may cost."""
    return fields.Integer(
        load_default=usual,
        validate=validate.Range(10, most),
        metadata={"description": "Requests of one run; the repositories that are left over come first in the next."},
    )


def spec(key: str, kind: FactType, unit: str, description: str) -> FactSpec:
    """Declare a fact that may be trusted for three days: a run may not reach every repository."""
    return FactSpec(key, kind, unit, description, _TRUSTED)


VULNERABLE = spec(
    "deps.vuln.critical_over_30d",
    FactType.INTEGER,
    "count",
    "Critical vulnerabilities that were found over 30 days ago.",
)
"""Of those code hosts that are asked for it by an option."""
FACTS = (
    spec("repo.branch.protected", FactType.BOOLEAN, "", "The default branch is protected."),
    spec("repo.reviews_required", FactType.BOOLEAN, "", "A change needs another person's approval."),
    spec("repo.codeowners.present", FactType.BOOLEAN, "", "There is a CODEOWNERS file."),
    *deployments.FACTS,
)


def pull(
    context: PullContext,
    names: Mapping[str, Sequence[str]],
    read: Read,
    greet: Callable[[], object],
    faults: Sequence[PullFault] = (),
    ahead: Callable[[Sequence[str]], None] | None = None,
) -> Iterator[Batch]:
    """Read repositories, those first that have waited longest, until the run has cost what it may.

    `names` holds the services of each repository; `ahead` is told which are read next. `greet` asks what concerns no
    repository: of a host that nobody names one of it is all that is asked, and of one that shows none it tells a wrong
    address from a missing right. Raises PullFailed as `in_turn.pull` and `greet` do.
    """
    if not names:
        greet()
    environments = [name.lower() for name in context.options["environments"]]
    memory = in_turn.Memory.loaded(context.cursor)
    memory.keep(names)
    if context.reconcile:
        memory.anew |= names.keys()
    yield Batch(faults=faults, cursor=memory.dumped())
    try:
        yield from in_turn.pull(
            context,
            names,
            memory,
            context.options["requests_per_run"],
            lambda name, refs: read(name, refs, environments, memory),
            ahead,
        )
    except PullFailed as failure:
        if failure.status != 404:
            raise
        greet()  # raises where nothing answers at this address
        raise PullFailed(FailureKind.PERMISSION, ALL_UNSEEN) from None


def batch(
    refs: Sequence[str],
    values: Mapping[str, FactValue],
    found: Sequence[deployments.Deployment] | None,
    slug: str,
    link: str,
    now: datetime,
    faults: Sequence[PullFault] = (),
    stories: Sequence[Event] = (),
) -> Batch:
    """Return one repository's facts, deployments and stories for every service in it.

    Of deployments that may not be seen (None) nothing is told: none that is seen would be another thing.
    """
    told = {**values, **(deployments.facts_of(found) if found is not None else {})}
    return Batch(
        facts=[Fact(ref, key, value, now) for ref in refs for key, value in told.items()],
        events=[*(event for ref in refs for event in deployments.events_of(ref, slug, link, found or ())), *stories],
        faults=faults,
    )


def ci_facts(ended: Sequence[tuple[datetime, bool]], now: datetime) -> dict[str, FactValue]:
    """Return what the runs on the default branch show: when each ended, and whether it succeeded."""
    succeeded = [at for at, success in ended if success]
    recent = [success for at, success in ended if at > now - WINDOW]
    found: dict[str, FactValue] = {}
    if succeeded:
        found["ci.tests_last_at"] = rfc3339(max(succeeded))
    if recent:
        found["ci.success_ratio_30d"] = round(sum(recent) / len(recent), 4)
    return found
