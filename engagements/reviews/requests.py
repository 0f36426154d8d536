"""What the views of reviews share: the fields that many bodies have."""

from typing import Any

from marshmallow import RAISE, Schema, fields, missing, validate

from engagements.text_fields import PlainText, in_range
from engagements.triage_schemas import said
from portal_backend.core.http import Moment
from scorecards.checks.definitions import Axis

MAX_TEXT, MAX_NAME, MAX_ITEMS = 4000, 200, 200
AXES = [axis.value for axis in Axis]
ID_RULE = validate.Regexp(
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$(?!\n)", error="Letters, digits, '.', '_' and '-', at most 80: launch-2026."
)


def text(required: bool = False, longest: int = MAX_TEXT, about: str = "", default: Any = "") -> PlainText:
    """Return a field of plain text; one that is required is not empty."""
    metadata = said(about) if about else {}
    if required:
        return PlainText(required=True, validate=validate.Length(1, longest), metadata=metadata)
    return PlainText(
        load_default=default, allow_none=default is None, validate=validate.Length(max=longest), metadata=metadata
    )


def name(required: bool = False, about: str = "", default: Any = "") -> PlainText:
    """Return a field for the name of a person or a thing."""
    return text(required, MAX_NAME, about, default)


def names(about: str = "", shortest: int = 0) -> fields.List[str]:
    """Return a field for a list of names."""
    return fields.List(
        PlainText(validate=validate.Length(1, MAX_NAME)),
        required=shortest > 0,
        load_default=missing if shortest else list,
        validate=validate.Length(shortest, MAX_ITEMS),
        metadata=said(about) if about else {},
    )


def links(about: str = "") -> fields.List[str]:
    """Return a field for a list of web addresses."""
    return fields.List(
        link(), load_default=list, validate=validate.Length(max=MAX_ITEMS), metadata=said(about) if about else {}
    )


def link(required: bool = False, about: str = "") -> PlainText:
    """Return a field for a web address; nothing else is ever shown as a link."""
    return PlainText(
        required=required,
        load_default=missing if required else "",
        validate=[
            validate.Length(max=2000),
            validate.Regexp(
                r"^(https?://\S+)?$(?!\n)" if not required else r"^https?://\S+$(?!\n)",
                error="No web address; write https://wiki.example/page.",
            ),
        ],
        metadata=said(about or "A web address, `https://…`."),
    )


def moment(required: bool = False, about: str = "") -> Moment:
    """Return a field for a time."""
    metadata = said(about) if about else {}
    if required:
        return Moment(required=True, validate=in_range, metadata=metadata)
    return Moment(load_default=None, allow_none=True, validate=in_range, metadata=metadata)


def one_of(values: Any, required: bool = False, default: Any = None, about: str = "") -> fields.Enum[Any]:
    """Return a field for one of the values of an enumeration."""
    metadata = said(about) if about else {}
    if required:
        return fields.Enum(values, by_value=True, required=True, metadata=metadata)
    return fields.Enum(values, by_value=True, load_default=default, allow_none=default is None, metadata=metadata)


def signing_side() -> fields.String:
    """Return the field for the side that signs: `dev` or `sre`, or the lead of it."""
    about = "The side that signs, `dev` (`dev_lead`) or `sre` (`sre_lead`), where whoever asks leads both."
    words = ("dev", "sre", "dev_lead", "sre_lead")
    return fields.String(load_default=None, allow_none=True, validate=validate.OneOf(words), metadata=said(about))


def axis(required: bool = False) -> fields.String:
    """Return a field for one of the six axes."""
    check = validate.OneOf(AXES)
    if required:
        return fields.String(required=True, validate=check)
    return fields.String(load_default=None, allow_none=True, validate=check)


def given_id() -> PlainText:
    """Return the field by which a client names a new record itself."""
    about = "Your own id: sent again, it changes nothing. Left out, the same content makes the same record."
    return PlainText(load_default=None, allow_none=True, validate=ID_RULE, metadata=said(about))


class KeptSchema(Schema):
    """What every kept record shows."""

    id = fields.String()
    entity_ref = fields.String(metadata=said("The service."))
    engagement_id = fields.String(allow_none=True)
    version = fields.Integer(metadata=said("How many times it was written; what If-Match takes."))
    created_by = fields.String()
    created_at = Moment()
    changed_by = fields.String()
    changed_at = Moment()


KEY = r"^[a-z0-9_.-]{1,80}$(?!\n)"
PATTERN = validate.Regexp(
    r"^[a-z0-9][a-z0-9_.-]{0,79}$(?!\n)",
    error="Lower-case letters, digits, '_', '.' and '-', at most 80: expired_certificate.",
)


def pattern_field(required: bool = False) -> PlainText:
    """Return the field for the word that names a kind of failure."""
    about = "The same word for the same failure in any service, such as `expired_certificate`."
    if required:
        return PlainText(required=True, validate=PATTERN, metadata=said(about))
    return PlainText(load_default=None, allow_none=True, validate=PATTERN, metadata=said(about))


class Strict(Schema):
    """A body that refuses fields it does not know."""

    class Meta:
        unknown = RAISE


class NothingSchema(Strict):
    """A body without fields."""
