"""What `catalog:` in portal.yaml says, as the catalog uses it."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from catalog.format.custom_kinds import CustomKind
from catalog.ingestion.reading import URL, Reader
from catalog.places.files import FilePolicy
from catalog.places.hosts import AllowedHost, Proxy, UrlPolicy
from catalog.places.rules import DEFAULT_RULE, Rules
from catalog.places.scm import WELL_KNOWN, Integration

if TYPE_CHECKING:
    from flask import Flask

EXTENSION = "catalog"


@dataclass(frozen=True)
class Include:
    """Which repositories of an organisation, and which file in them."""

    path: str = "catalog-info.yaml"
    """Of the catalog file in each repository; a pattern finds several, for one request more per repository."""
    branch: str | None = None
    """None: each repository's default branch."""
    repository: str | None = None
    """A regular expression that the repository's name (a GitLab project's path below the group) must match whole."""
    topics: frozenset[str] = frozenset()
    """Of which a repository must have one."""
    without_topics: frozenset[str] = frozenset()
    """Of which a repository must have none."""
    archived: bool = False
    forks: bool = False


@dataclass(frozen=True)
class Provider:
    """An organisation or a group whose catalog files are found by asking its host."""

    name: str
    """Owns the locations that it found."""
    integration: Integration
    owner: str
    """A GitHub organisation, or a GitLab group's path."""
    include: Include = Include()
    every: timedelta = timedelta(minutes=30)


@dataclass(frozen=True)
class CatalogSettings:
    """How the catalog reads, what it admits, and how entities come and go."""

    urls: UrlPolicy = field(default_factory=lambda: url_policy(None, WELL_KNOWN))
    files: FilePolicy = FilePolicy()
    integrations: tuple[Integration, ...] = WELL_KNOWN
    registration_types: frozenset[str] = frozenset({URL})
    """Types of location that may be registered by HTTP."""
    rules: Rules = Rules((DEFAULT_RULE,))
    kinds: tuple[CustomKind, ...] = ()
    providers: tuple[Provider, ...] = ()
    refresh_every: timedelta = timedelta(minutes=10)
    jitter: float = 0.5
    """Share of `refresh_every` that chance adds, so that locations which came together do not stay together."""
    orphan_grace: timedelta = timedelta(hours=1)
    """For how long an entity that its location no longer holds stays, marked as an orphan."""
    removal_share: float = 0.05
    """Share of a location's entities, or of a provider's locations, that may leave at once without a person."""

    def reader(self) -> Reader:
        """Return what opens files and URLs by these settings, for a location that anybody may have registered."""
        return Reader(self.urls, self.files, self.integrations, self.rules, self.kinds)


def url_policy(
    allow: tuple[AllowedHost, ...] | None, integrations: tuple[Integration, ...], proxy: Proxy | None = None
) -> UrlPolicy:
    """Return which URLs may be read: those of an allow-list, and those of the hosts that are integrations."""
    return UrlPolicy(allow, tuple(host for one in integrations for host in one.trusted()), proxy)


def init_app(app: "Flask", settings: CatalogSettings) -> None:
    """Let an application's catalog work by these settings."""
    app.extensions[EXTENSION] = settings


def current() -> CatalogSettings:
    """Return the settings of the application whose context is active; the defaults where there is none."""
    from flask import current_app, has_app_context  # a check of files has no application, and does without its import

    found: CatalogSettings | None = current_app.extensions.get(EXTENSION) if has_app_context() else None
    return found or CatalogSettings()


def registration_refusal(type_: str, target: str, settings: CatalogSettings) -> str | None:
    """Say why a location may not be registered by HTTP; None where nothing speaks against it.

    What a host's name leads to is looked at when it is read, not here.
    """
    return type_refusal(type_, settings) or target_refusal(type_, target, settings)


def type_refusal(type_: str, settings: CatalogSettings) -> str | None:
    """Say why locations of a type may not be registered by HTTP; None where they may."""
    if type_ in settings.registration_types:
        return None
    types = " or ".join(sorted(settings.registration_types)) or "none"
    return f"Registered locations must be of type {types}, not {type_!r}; see catalog.registration in portal.yaml"


def target_refusal(type_: str, target: str, settings: CatalogSettings) -> str | None:
    """Say why a target may not be read, as far as it shows without reading; None where nothing speaks against it."""
    return settings.urls.refusal(target) if type_ == URL else settings.files.refusal(target)
