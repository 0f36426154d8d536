"""The import file: the support that held before the portal knew of it, as a YAML list, checked whole."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from engagements.support import SupportRecord
from engagements.text_fields import PlainText
from engagements.tiers import Tier
from portal_backend.core.clock import parse_time
from portal_backend.core.errors import Fault, InvalidInput, flatten_messages

MAX_BYTES = 4 * 1024 * 1024
MAX_RECORDS = 20_000

_REVIEW = ("requested", "accepted", "engagement", "analysis", "improvement", "training", "onboarding")
_TAKEOVER = ("training", "onboarding")
_RUNNING = ("active", "disengaging")
PHASES: dict[str, tuple[str, ...]] = {
    "simple_prr": (*_REVIEW, *_RUNNING),
    "early": ("candidate", "accepted", "design", "build", "launch", "post_launch", *_TAKEOVER, *_RUNNING),
    "framework": ("assessing", "adopting", "conformant", "platform_active"),
}
"""The phases of each engagement model in which a service can be; what has ended is not imported."""

RE_REVIEW = frozenset({"analysis", "improvement", *_TAKEOVER})
"""A service that SRE runs keeps its tier while it is reviewed again."""


class DateOrTime(fields.Field[datetime]):
    """A date (its midnight in UTC) or an RFC 3339 time, as YAML or as text."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            if isinstance(value, str):
                return parse_time(value) if len(value) > len("2026-01-31") else _midnight(date.fromisoformat(value))
            if isinstance(value, datetime):
                return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
            if isinstance(value, date):
                return _midnight(value)
        except (ValueError, OverflowError) as error:
            raise ValidationError("must be a date such as 2026-01-31, or an RFC 3339 time") from error
        raise ValidationError("must be a date such as 2026-01-31, or an RFC 3339 time")


class WebAddress(PlainText):
    """An http or https address."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        parts = urlsplit(text)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValidationError("must be an http or https address")
        return text


class EvidenceSchema(Schema):
    """What a tier rests on."""

    prr_completed_at = DateOrTime()
    prr_revision = PlainText(validate=validate.Length(1, 100))
    document_url = WebAddress()
    conformance_passed_at = DateOrTime()
    oncall_split_url = WebAddress()


class SupportRecordSchema(Schema):
    """One entry of the file."""

    entity = PlainText(required=True, validate=validate.Regexp(r"^[a-zA-Z]+:[^:/\s]+/[^:/\s]+$", error=(
        "must be a whole entity reference such as component:default/checkout")))  # fmt: skip
    tier = fields.Enum(Tier, by_value=True, required=True)
    model = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(list(PHASES)))
    phase = fields.String(load_default=None, allow_none=True)
    since = DateOrTime(required=True)
    evidence = fields.Nested(EvidenceSchema, load_default=dict)
    usage_forecast_rps = fields.Float(
        load_default=None, allow_none=True, validate=validate.Range(0, min_inclusive=False), allow_nan=False
    )
    decided_by = PlainText(required=True, validate=validate.Length(1, 200))
    reason = PlainText(load_default="", validate=validate.Length(max=2000))

    @validates_schema
    def check_consistency(self, data: Mapping[str, Any], **_kwargs: Any) -> None:
        """Refuse what contradicts itself or the rulings on evidence."""
        messages = {**_engagement_faults(data), **_evidence_faults(data)}
        if messages:
            raise ValidationError(messages)


def read_records(path: Path, now: datetime) -> list[SupportRecord]:
    """Return the records of an import file; raises InvalidInput that names every fault in it with its place."""
    entries = _load(path)
    faults: list[Fault] = []
    records: list[SupportRecord] = []
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        try:
            record = _record(SupportRecordSchema().load(entry))
        except ValidationError as error:
            faults += flatten_messages(error.messages, f"[{index}]")
            continue
        faults += [Fault(f"[{index}].{field}", message) for field, message in _untimely(record, now)]
        if record.entity_ref in seen:
            faults.append(Fault(f"[{index}].entity", f"{record.entity_ref} is in the file already; keep one entry"))
        seen.add(record.entity_ref)
        records.append(record)
    if faults:
        raise InvalidInput(f"Nothing was imported from {path.name}; mend the file and import it again.", faults)
    return records


def _load(path: Path) -> list[Any]:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InvalidInput(f"{path.name} is larger than {MAX_BYTES} bytes; split it.")
        entries = yaml.load(content, Loader=yaml.CSafeLoader)
    except OSError as error:
        raise InvalidInput(f"{path.name} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{path.name} is not YAML: {error}") from error
    if entries is None:
        return []
    if not isinstance(entries, list) or len(entries) > MAX_RECORDS:
        raise InvalidInput(f"{path.name} must be a YAML list of at most {MAX_RECORDS} entries, one per service.")
    return entries


def _record(data: Mapping[str, Any]) -> SupportRecord:
    evidence = {key: _iso(value) for key, value in data["evidence"].items()}
    return SupportRecord(
        entity_ref=data["entity"].lower(),
        tier=data["tier"],
        since=data["since"],
        decided_by=data["decided_by"],
        engagement_model=data["model"],
        phase=data["phase"],
        usage_forecast_rps=data["usage_forecast_rps"],
        evidence=evidence,
        reason=data["reason"],
    )


def _untimely(record: SupportRecord, now: datetime) -> list[tuple[str, str]]:
    """Return what lies in the future, by field: a fact of the past is recorded here, no intention."""
    times = {"since": record.since}
    for name in ("prr_completed_at", "conformance_passed_at"):
        if name in record.evidence:
            times[f"evidence.{name}"] = parse_time(record.evidence[name])
    return [(name, "must not lie in the future") for name, moment in times.items() if moment > now]


def _engagement_faults(data: Mapping[str, Any]) -> dict[str, list[str]]:
    model, phase, tier = data["model"], data["phase"], data["tier"]
    if (model is None) != (phase is None):
        return {"phase" if phase is None else "model": ["is missing: model and phase come together"]}
    if model is not None and phase not in PHASES[model]:
        return {"phase": [f"must be one of {', '.join(PHASES[model])} in the model {model}"]}
    if tier is Tier.FULL_SRE and phase not in {*_RUNNING, *RE_REVIEW}:
        allowed = ", ".join(sorted({*_RUNNING, *RE_REVIEW}))
        return {"phase": [f"must be one of {allowed}: SRE runs a service after its onboarding"]}
    if tier is not Tier.FULL_SRE and phase in _RUNNING:
        return {"phase": [f"{phase} belongs to the tier full_sre"]}
    if (tier is Tier.PLATFORM) != (phase == "platform_active") and not (
        tier is Tier.PLATFORM and model == "simple_prr"
    ):
        return {"phase": ["platform_active and the tier platform belong together"]}
    return {}


def _evidence_faults(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what evidence is missing: nobody takes a service over without a review (SRE book, chapter 32)."""
    needed = {
        Tier.FULL_SRE: {
            "prr_completed_at": "full_sre needs the date of a completed production readiness review",
            "document_url": "full_sre needs the address of the review's document",
        },
        Tier.PLATFORM: {
            "conformance_passed_at": "platform needs the date on which the conformance tests passed",
            "oncall_split_url": "platform needs the address of the agreed split of on-call duties",
        },
    }.get(data["tier"], {})
    missing = {key: [message] for key, message in needed.items() if key not in data["evidence"]}
    return {"evidence": missing} if missing else {}


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _iso(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
