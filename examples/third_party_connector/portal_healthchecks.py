"""Healthchecks (healthchecks.io, or one's own): do the scheduled jobs of a service run?"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from marshmallow import Schema, fields

from plugins.contract import (
    AnnotationSpec,
    Batch,
    Connector,
    Fact,
    FactSpec,
    FactType,
    FactValue,
    FailureKind,
    PullContext,
    PullFailed,
    PullFault,
)

TAG = "healthchecks.io/tag"
PATH = "api/v3/checks/"
SERVICES_PER_BATCH = 500
MISSED = frozenset({"down", "grace"})
TRUSTED = timedelta(hours=6)


class OptionsSchema(Schema):
    """Which checks are read."""

    tag = fields.String(load_default="", metadata={"description": "Only checks with this tag."})


class HealthchecksConnector(Connector):
    """Reads the checks of one project."""

    name: ClassVar[str] = "healthchecks"
    title: ClassVar[str] = "Healthchecks"
    facts = (
        FactSpec("jobs.count", FactType.INTEGER, "count", "Scheduled jobs that are watched.", TRUSTED),
        FactSpec("jobs.missed", FactType.SET, "", "Those of them that did not run when they should have.", TRUSTED),
        FactSpec("jobs.last_ran_at", FactType.DATETIME, "", "When one of them last ran.", TRUSTED),
    )
    annotations = (AnnotationSpec(TAG, "Tag of the service's checks; without it the entity's name counts."),)
    permissions = ("a read-only API key of the project",)
    options_schema = OptionsSchema

    def check(self, context: PullContext) -> str:
        """Read the checks; raises PullFailed."""
        checks = _checks(context)
        tags = {tag for check in checks for tag in _tags(check)}
        found = sum(1 for target in context.targets if _tag_of(target) in tags)
        return f"Healthchecks knows {len(checks)} checks; {found} of {len(context.targets)} services have one"

    def pull(self, context: PullContext) -> Iterator[Batch]:
        """Read all checks at once, and yield what they mean for the services whose tag they carry."""
        by_tag: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
        faults = []
        for check in _checks(context):
            if not isinstance(check.get("name"), str) or not isinstance(check.get("status"), str):
                faults.append(PullFault("check", f"has no name or no status: {str(check):.80}"))
                continue
            for tag in _tags(check):
                by_tag[tag][check["name"]] = check
        claimed = {_tag_of(target) for target in context.targets}
        yield Batch(faults=faults, unmatched=sorted(by_tag.keys() - claimed))
        targets = [target for target in context.targets if _tag_of(target) in by_tag]
        for start in range(0, len(targets), SERVICES_PER_BATCH):
            yield Batch(
                facts=[
                    Fact(target.ref, key, value, context.now)
                    for target in targets[start : start + SERVICES_PER_BATCH]
                    for key, value in _values(by_tag[_tag_of(target)]).items()
                ]
            )


def _checks(context: PullContext) -> list[Mapping[str, Any]]:
    params = {"tag": context.options["tag"]} if context.options.get("tag") else None
    answer = context.client.get_json(PATH, params)
    checks = answer.get("checks") if isinstance(answer, dict) else None
    if not isinstance(checks, list):
        raise PullFailed(FailureKind.BAD_ANSWER, f"{PATH} answered no list of checks")
    return [check for check in checks if isinstance(check, dict)]


def _tags(check: Mapping[str, Any]) -> list[str]:
    return str(check.get("tags") or "").split()


def _tag_of(target: Any) -> str:
    return str(target.annotations.get(TAG, target.name))


def _values(checks: Mapping[str, Mapping[str, Any]]) -> dict[str, FactValue]:
    pings = [at for check in checks.values() if (at := _moment(check.get("last_ping")))]
    values: dict[str, FactValue] = {
        "jobs.count": len(checks),
        "jobs.missed": sorted(name for name, check in checks.items() if check["status"] in MISSED),
    }
    if pings:
        values["jobs.last_ran_at"] = max(pings).isoformat().replace("+00:00", "Z")
    return values


def _moment(text: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return at if at.utcoffset() == timedelta(0) else None


CONNECTOR = HealthchecksConnector()
