"""The shape of portal.yaml: which keys there are, what they may hold, what holds when they are left out."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, post_load, validate, validates_schema

SECRET_KEYS = frozenset({"token", "password", "value"})
"""Keys that hold a secret: only by reference."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
SECRET_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}|file:.+")


def is_secret_reference(text: str) -> bool:
    """Say whether a text refers to a secret rather than being one."""
    return SECRET_REFERENCE.fullmatch(text) is not None


def parse_duration(text: str) -> timedelta:
    """Read `30s`, `5m`, `1h`, `2d` or `4w`; raises ValueError on anything else."""
    match = re.fullmatch(r"(\d{1,6})([smhdw])", text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as 30s, 5m, 1h, 2d or 4w")
    return timedelta(seconds=int(match[1]) * UNITS[match[2]])


class Duration(fields.Field[timedelta]):
    """A duration written as `30s`, `5m`, `1h`, `2d` or `4w`."""

    def _serialize(self, value: timedelta | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else f"{int(value.total_seconds())}s"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> timedelta:
        if not isinstance(value, str):
            raise ValidationError("must be a duration such as 30s, 5m, 1h, 2d or 4w")
        try:
            return parse_duration(value)
        except ValueError as error:
            raise ValidationError(str(error)) from error


class SecretReference(fields.String):
    """A secret, given as `${NAME}` or `file:PATH`; the secret itself is refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if not isinstance(value, str) or not is_secret_reference(value):
            raise ValidationError("is a secret: write ${NAME} (an environment variable) or file:PATH in its place")
        return value


class ServerSchema(Schema):
    """`server:`."""

    host = fields.String(load_default="127.0.0.1", validate=validate.Length(1))
    port = fields.Integer(load_default=7007, validate=validate.Range(1, 65535))
    workers = fields.Integer(load_default=2, strict=True, validate=validate.Range(1, 64))
    threads = fields.Integer(load_default=4, strict=True, validate=validate.Range(1, 64))
    public_url = fields.String(
        load_default="",
        validate=validate.Regexp(
            r"^(|https?://[^/?#\s]+[^?#\s]*)$", error="must be such as https://portal.example.org"
        ),
    )
    cors_origins = fields.List(
        fields.String(
            validate=validate.Regexp(
                r"^https?://[^/*\s]+$", error="must be an origin such as https://portal.example.org"
            )
        ),
        load_default=list,
    )


class DatabaseSchema(Schema):
    """`database:`."""

    url = fields.String(
        load_default="",
        validate=validate.Regexp(
            r"^(|sqlite:///.+|postgres(ql)?(\+psycopg)?://.+)$",
            error="must be sqlite:///PATH or postgresql://USER@HOST/NAME",
        ),
    )


class BrokerSchema(Schema):
    """`broker:`."""

    url = fields.String(
        load_default="filesystem://",
        validate=validate.Regexp(
            r"^(filesystem://|rediss?://.+|amqps?://.+)$",
            error="must be filesystem:// (embedded), redis://HOST:PORT/N or amqp://HOST",
        ),
    )


class AuthenticationSchema(Schema):
    """`authentication:`."""

    service_tokens = fields.Boolean(load_default=False, truthy={True}, falsy={False})


class LocationSchema(Schema):
    """An entry of `catalog.locations:`."""

    type = fields.String(required=True, validate=validate.OneOf(["file", "url"]))
    target = fields.String(required=True, validate=validate.Length(1))
    rules = fields.List(fields.Raw(), load_default=None)
    """Checked by the catalog, which knows what a rule is."""


class CatalogSchema(Schema):
    """`catalog:`. All but its locations and their pace is checked by the catalog's own schema."""

    class Meta:
        """What is not known here is the catalog's."""

        unknown = INCLUDE

    locations = fields.List(fields.Nested(LocationSchema), load_default=list)
    every = Duration(
        load_default=timedelta(minutes=10),
        validate=validate.Range(timedelta(seconds=10), timedelta(days=7), error="must lie between 10s and 7d"),
    )


class ServicesSchema(Schema):
    """`services:`."""

    types = fields.List(
        fields.String(validate=validate.Length(1)), load_default=lambda: ["service"], validate=validate.Length(1)
    )


class ScorecardsSchema(Schema):
    """`scorecards:`."""

    checks = fields.List(fields.String(validate=validate.Length(1)), load_default=list)
    grace = Duration(
        load_default=timedelta(hours=72),
        validate=validate.Range(timedelta(0), timedelta(days=30), error="must lie between 0s and 30d"),
    )
    webhooks = fields.Dict(keys=fields.String(), load_default=dict)
    """Checked by the schema of the webhooks, which this foundation does not know."""
    exceptions = fields.Dict(keys=fields.String(), load_default=dict)


class EngagementsSchema(Schema):
    """`engagements:`."""

    support_import = fields.String(data_key="import", load_default=None)
    triage = fields.Dict(keys=fields.String(), load_default=dict)
    capacity = fields.Dict(keys=fields.String(), load_default=dict)
    lifecycle = fields.Dict(keys=fields.String(), load_default=dict)
    reviews = fields.Dict(keys=fields.String(), load_default=dict)
    incident_view = fields.Dict(keys=fields.String(), load_default=dict)


class SourceAuthSchema(Schema):
    """`auth:` of a source: a token, a user and password, or a header and its value."""

    token = SecretReference()
    username = fields.String(validate=validate.Length(1))
    password = SecretReference()
    header = fields.String(validate=validate.Regexp(r"^[A-Za-z0-9-]+$", error="must be the name of an HTTP header"))
    value = SecretReference()

    @validates_schema(skip_on_field_errors=False)
    def check_one_way(self, data: Mapping[str, Any], **_: Any) -> None:
        """Refuse half a way, or two."""
        given = frozenset(data)
        if given and given not in ({"token"}, {"username", "password"}, {"header", "value"}):
            raise ValidationError("give either token, or username and password, or header and value")


class SourceSchema(Schema):
    """An entry of `sources:`."""

    name = fields.String(
        required=True,
        validate=validate.Regexp(NAME, error="must be lower-case letters, digits and -, starting with a letter"),
    )
    plugin = fields.String(required=True)
    url = fields.String(
        load_default="", validate=validate.Regexp(r"^(|https?://.+)$", error="must be an http:// or https:// address")
    )
    auth = fields.Nested(SourceAuthSchema, load_default=dict)
    every = Duration(
        load_default=timedelta(minutes=5),
        validate=validate.Range(timedelta(seconds=10), timedelta(days=7), error="must lie between 10s and 7d"),
    )
    options = fields.Dict(keys=fields.String(), load_default=dict)
    simulated = fields.Boolean(load_default=False, truthy={True}, falsy={False})


RESERVED_SOURCES = frozenset({"catalog", "portal", "import"})
"""Names that our own observations carry in facts and history."""


class ConfigSchema(Schema):
    """portal.yaml."""

    server = fields.Nested(ServerSchema, load_default=lambda: ServerSchema().load({}))
    database = fields.Nested(DatabaseSchema, load_default=lambda: DatabaseSchema().load({}))
    broker = fields.Nested(BrokerSchema, load_default=lambda: BrokerSchema().load({}))
    data_dir = fields.String(load_default="data", validate=validate.Length(1))
    authentication = fields.Nested(AuthenticationSchema, load_default=lambda: AuthenticationSchema().load({}))
    catalog = fields.Nested(CatalogSchema, load_default=lambda: CatalogSchema().load({}))
    services = fields.Nested(ServicesSchema, load_default=lambda: ServicesSchema().load({}))
    scorecards = fields.Nested(ScorecardsSchema, load_default=lambda: ScorecardsSchema().load({}))
    engagements = fields.Nested(EngagementsSchema, load_default=lambda: EngagementsSchema().load({}))
    retention = fields.Dict(keys=fields.String(), load_default=dict)
    collecting = fields.Dict(keys=fields.String(), load_default=dict)
    sources = fields.List(fields.Nested(SourceSchema), load_default=list)

    @validates_schema(skip_on_field_errors=False)
    def check_source_names(self, data: Mapping[str, Any], **_: Any) -> None:
        """Refuse two sources of one name, and the names that are ours."""
        seen: set[str] = set()
        messages: dict[int, dict[str, list[str]]] = {}
        for index, source in enumerate(data.get("sources") or []):
            name = source.get("name")
            if name is None:
                continue
            if name in seen:
                messages[index] = {"name": [f"another source is named {name!r} already; names are unique"]}
            elif name in RESERVED_SOURCES:
                messages[index] = {"name": [f"{name!r} is a name of the product's own; choose another"]}
            seen.add(name)
        if messages:
            raise ValidationError({"sources": messages})

    @post_load
    def keep(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Return the plain values; core.config makes the dataclasses."""
        return data
