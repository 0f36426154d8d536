"""The import files: what was attested and waived before this portal knew of it, each a YAML list, checked whole."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields

from catalog.format.refs import BadReference, parse_ref
from portal_backend.core.errors import Fault, InvalidInput, flatten_messages
from portal_backend.core.faults import first_faults
from portal_backend.core.http import Moment
from scorecards.checks.files import read_documents
from scorecards.exceptions.importing_attestations import ImportedAttestation
from scorecards.exceptions.importing_waivers import ImportedWaiver
from scorecards.exceptions.text_fields import MAX_REFERENCE, WebLink, sentence, word

MAX_ENTRIES = 2_000
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class _DayOrMoment(Moment):
    """A time, or a date: its midnight in UTC."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str) and DAY.fullmatch(value):
            value = f"{value}T00:00:00Z"
        return super()._deserialize(value, attr, data, **kwargs)


class _EntrySchema(Schema):
    class Meta:
        unknown = RAISE

    entity = word("The service, `component:default/checkout`.", required=True)


class ImportedAttestationSchema(_EntrySchema):
    """An attestation of the file."""

    check = word("The check that it answers.", required=True)
    holds = fields.Boolean(load_default=True, truthy={True}, falsy={False})
    statement = sentence("What was seen, where and when.", required=True)
    evidence_url = WebLink(load_default=None)
    attested_by = word("Who vouched for it.", required=True)
    attested_at = _DayOrMoment(required=True)
    expires_at = _DayOrMoment(load_default=None)


class ImportedWaiverSchema(_EntrySchema):
    """A waiver of the file: one that was approved, or a request that still waits."""

    check = word("The check to do without.", required=True)
    reason = sentence("Why it cannot be met by then.", required=True)
    compensating_control = sentence("What limits the risk meanwhile.", required=True)
    until = _DayOrMoment(required=True)
    requested_by = word("Who asked for it.", required=True)
    requested_at = _DayOrMoment(load_default=None)
    approved_by = word("Who approved it.", load_default=None)
    approved_at = _DayOrMoment(load_default=None)


def read_attestations(path: Path) -> list[ImportedAttestation]:
    """Return the attestations of a file; raises InvalidInput that names the first faults in it with their places."""
    return [ImportedAttestation(**entry) for entry in _entries(path, ImportedAttestationSchema(), "attestations")]


def read_waivers(path: Path) -> list[ImportedWaiver]:
    """Return the waivers of a file; raises InvalidInput that names the first faults in it with their places."""
    return [ImportedWaiver(**entry) for entry in _entries(path, ImportedWaiverSchema(), "waivers")]


def _entries(path: Path, schema: Schema, what: str) -> Iterator[dict[str, Any]]:
    """Yield each entry with its place and the whole reference of its service, once none has a fault."""
    faults: list[Fault] = []
    entries = []
    for number, entry in enumerate(_load(path, what)):
        place = f"[{number}]"
        try:
            found = schema.load(entry)
            entries.append({**found, "place": place, "entity": _service_ref(found["entity"])})
        except ValidationError as error:
            faults += flatten_messages(error.messages, place)
        except BadReference as error:
            faults.append(Fault(f"{place}.entity", str(error)))
    if faults:
        raise InvalidInput(f"Nothing was imported from {path.name}; mend it and import it again.", first_faults(faults))
    yield from entries


def _service_ref(text: str) -> str:
    return str(parse_ref(text[:MAX_REFERENCE], "component")).lower()


def _load(path: Path, what: str) -> list[Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidInput(f"{path.name} cannot be read: {reason}.") from error
    faults: list[Fault] = []
    documents = read_documents(path.name, text, faults)
    if documents is None:
        raise InvalidInput(f"Nothing was imported from {path.name}.", faults)
    if not documents:
        return []
    if len(documents) > 1 or not isinstance(documents[0], list) or len(documents[0]) > MAX_ENTRIES:
        raise InvalidInput(f"{path.name} must be one YAML list of at most {MAX_ENTRIES} {what}.")
    return documents[0]
