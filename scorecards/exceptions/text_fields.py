"""Texts, links and times as people send them: what no database can keep, or says nothing, is refused."""

from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

MAX_TEXT = 4000
MAX_REFERENCE = 200


class PlainText(fields.String):
    """Text without NUL characters, which PostgreSQL cannot hold; blanks around it are dropped."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if "\0" in text:
            raise ValidationError("must not hold a NUL character")
        return text.strip()


def sentence(description: str, at_least: int = 10, **given: Any) -> PlainText:
    """Return a field for a text that a person is to read: 10 characters or more, unless told otherwise."""
    message = f"must say it in {at_least} to {MAX_TEXT} characters"
    return PlainText(
        validate=validate.Length(at_least, MAX_TEXT, error=message), metadata={"description": description}, **given
    )


def word(description: str, **given: Any) -> PlainText:
    """Return a field for an id or a name."""
    return PlainText(
        validate=validate.Length(1, MAX_REFERENCE, error=f"must have 1 to {MAX_REFERENCE} characters"),
        metadata={"description": description},
        **given,
    )


class WebLink(PlainText):
    """An http(s) address."""

    def __init__(self, **given: Any) -> None:
        address = validate.URL(schemes={"http", "https"}, require_tld=False, error="must be an http or https address")
        super().__init__(validate=[validate.Length(max=2000), address], **given)


def in_range(moment: datetime) -> None:
    """Refuse a time that UTC has no year for."""
    try:
        moment.astimezone(UTC)
    except OverflowError as error:
        raise ValidationError("is out of range") from error
