"""Text and times as they come in: what no database can keep or compare is refused."""

from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields


class PlainText(fields.String):
    """Text without NUL characters, which PostgreSQL cannot hold."""

    default_error_messages = {"invalid": "must be one text, not a list, a number or an object"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if "\0" in text:
            raise ValidationError("must not hold a NUL character")
        return text


def in_range(moment: datetime) -> None:
    """Refuse a time that UTC has no year for."""
    try:
        moment.astimezone(UTC)
    except OverflowError as error:
        raise ValidationError("is out of range") from error
