"""The shape of `catalog:` in portal.yaml, and what it becomes."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from catalog.ingestion.reading import FILE, URL
from catalog.places.hosts import is_host_pattern
from catalog.places.proxies import ENVIRONMENT, is_proxy_url
from catalog.places.rules import AllowedKind
from catalog.settings import CatalogSettings, Include, Provider
from portal_backend.core.config_schema import NAME, Duration, SecretReference

TYPES = validate.OneOf([FILE, URL])
KIND = re.compile(r"[a-zA-Z][a-zA-Z0-9]{0,62}")
MAX_PATTERN = 500


def _text(**options: Any) -> fields.String:
    return fields.String(validate=validate.Length(1, 2000), **options)


def _flag() -> fields.Boolean:
    return fields.Boolean(load_default=False, truthy={True}, falsy={False})


def _duration(default: timedelta, least: timedelta, most: timedelta) -> Duration:
    error = f"must lie between {least} and {most}"
    return Duration(load_default=default, validate=validate.Range(least, most, error=error))


def _check_host(text: str) -> None:
    if not is_host_pattern(text):
        raise ValidationError("must be a host such as example.com, example.com:8443, example.com:* or *.example.com")


def _check_proxy(text: str) -> None:
    if text != ENVIRONMENT and not is_proxy_url(text):
        raise ValidationError("must be a URL such as http://proxy.example.com:3128, or the word environment")


def _check_regex(text: str) -> None:
    try:
        re.compile(text)
    except re.error as error:
        raise ValidationError(f"is no regular expression: {error}") from error


class AllowedKindField(fields.Field[AllowedKind]):
    """A kind, or `{kind, spec.type}`."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> AllowedKind:
        given = {"kind": value} if isinstance(value, str) else value
        if not isinstance(given, dict) or not given.keys() <= {"kind", "spec.type"}:
            raise ValidationError("must be a kind, or {kind: …, spec.type: …}")
        kind, spec_type = given.get("kind"), given.get("spec.type")
        if not isinstance(kind, str) or not KIND.fullmatch(kind) or not isinstance(spec_type, str | None):
            raise ValidationError("must be a kind, or {kind: …, spec.type: …}")
        return AllowedKind(kind, spec_type)


class RuleLocationSchema(Schema):
    """A location that a rule is for."""

    type = fields.String(required=True, validate=TYPES)
    exact = _text()
    pattern = fields.String(validate=validate.Length(1, MAX_PATTERN))


class RuleSchema(Schema):
    """An entry of `catalog.rules:`."""

    allow = fields.List(AllowedKindField(), required=True)
    locations = fields.List(fields.Nested(RuleLocationSchema))


class OwnRuleSchema(Schema):
    """An entry of `rules:` of a location."""

    allow = fields.List(AllowedKindField(), required=True)


class AllowedHostSchema(Schema):
    """An entry of `catalog.reading.allow:`."""

    host = fields.String(required=True, validate=_check_host)
    paths = fields.List(fields.String(validate=validate.Regexp(r"^/", error="must begin with /")), load_default=list)


class ReadingSchema(Schema):
    """`catalog.reading:`."""

    allow = fields.List(fields.Nested(AllowedHostSchema), load_default=None, allow_none=True)
    roots = fields.List(_text(), load_default=None, allow_none=True)
    proxy = fields.String(load_default=None, allow_none=True, validate=_check_proxy)
    no_proxy = fields.List(fields.String(validate=_check_host), load_default=list)


class RegistrationSchema(Schema):
    """`catalog.registration:`."""

    types = fields.List(fields.String(validate=TYPES), load_default=lambda: [URL])


class IntegrationSchema(Schema):
    """An entry of `catalog.integrations.github:` or `.gitlab:`."""

    host = fields.String(required=True, validate=_check_host)
    api_url = fields.String(validate=validate.Regexp(r"^https?://[^/?#@]+[^?#]*$", error="must be an http(s) address"))
    token = SecretReference()


class IntegrationsSchema(Schema):
    """`catalog.integrations:`."""

    github = fields.List(fields.Nested(IntegrationSchema), load_default=list)
    gitlab = fields.List(fields.Nested(IntegrationSchema), load_default=list)


class IncludeSchema(Schema):
    """`include:` of a provider."""

    path = fields.String(
        load_default=Include.path, validate=validate.Regexp(r"^[^/].*$", error="must be a path within the repository")
    )
    branch = _text(load_default=None)
    repository = fields.String(load_default=None, validate=[validate.Length(1, MAX_PATTERN), _check_regex])
    topics = fields.List(_text(), load_default=list)
    without_topics = fields.List(_text(), load_default=list)
    archived = _flag()
    forks = _flag()


class ProviderSchema(Schema):
    """What the providers of both systems have in common."""

    name = fields.String(required=True, validate=validate.Regexp(NAME, error="must be lower-case letters, digits, -"))
    host = fields.String(load_default=None)
    include = fields.Nested(IncludeSchema, load_default=lambda: IncludeSchema().load({}))
    every = _duration(Provider.every, timedelta(minutes=1), timedelta(days=7))


class GithubProviderSchema(ProviderSchema):
    """An entry of `catalog.providers.github:`."""

    owner = fields.String(
        data_key="organization", required=True, validate=validate.Regexp(r"^[A-Za-z0-9-]+$", error="must be a name")
    )


class GitlabProviderSchema(ProviderSchema):
    """An entry of `catalog.providers.gitlab:`."""

    owner = _text(data_key="group", required=True)


class ProvidersSchema(Schema):
    """`catalog.providers:`."""

    github = fields.List(fields.Nested(GithubProviderSchema), load_default=list)
    gitlab = fields.List(fields.Nested(GitlabProviderSchema), load_default=list)


class RelationSchema(Schema):
    """An entry of `relations:` of a kind."""

    field = _text(required=True)
    forward = _text(required=True)
    reverse = _text(required=True)
    default_kind = fields.String(load_default=None)


class KindSchema(Schema):
    """An entry of `catalog.kinds:`."""

    kind = _text(required=True)
    api_versions = fields.List(_text(), required=True, validate=validate.Length(1))
    required = fields.List(_text(), load_default=list)
    schema = fields.Dict(keys=fields.String(), load_default=None)
    relations = fields.List(fields.Nested(RelationSchema), load_default=list)


class CatalogSettingsSchema(Schema):
    """`catalog:` but for `locations` and `every`, which the foundation reads."""

    jitter = fields.Float(load_default=CatalogSettings.jitter, validate=validate.Range(0, 1))
    orphan_grace = _duration(CatalogSettings.orphan_grace, timedelta(0), timedelta(days=365))
    removal_share = fields.Float(load_default=CatalogSettings.removal_share, validate=validate.Range(0, 1))
    registration = fields.Nested(RegistrationSchema, load_default=lambda: RegistrationSchema().load({}))
    rules = fields.List(fields.Nested(RuleSchema), load_default=None, allow_none=True)
    reading = fields.Nested(ReadingSchema, load_default=lambda: ReadingSchema().load({}))
    integrations = fields.Nested(IntegrationsSchema, load_default=lambda: IntegrationsSchema().load({}))
    providers = fields.Nested(ProvidersSchema, load_default=lambda: ProvidersSchema().load({}))
    kinds = fields.List(fields.Nested(KindSchema), load_default=list)
