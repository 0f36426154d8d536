"""HTTP: framework modules, their releases, and the services built on them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from portal_backend.core import clock
from portal_backend.core.auth import current_principal
from portal_backend.core.db import reading, transaction
from portal_backend.core.entity_tags import version_asked_for, with_content_tag, with_tag
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.pagination import Page
from scorecards import judging
from scorecards.blueprints import blueprint
from scorecards.exceptions.models import FrameworkModule, ModuleAdoption, ModuleRelease, columns_of
from scorecards.exceptions.modules import adoption, registry, releases
from scorecards.exceptions.modules.fixes import propagation, versions_without
from scorecards.exceptions.modules.inheritance import modules_of
from scorecards.exceptions.modules.schemas import (
    NAME,
    AdopterPageSchema,
    AdopterQuery,
    AdopterSchema,
    AdoptionBodySchema,
    FixListSchema,
    ModuleDefinitionSchema,
    ModuleDetailSchema,
    ModulePageSchema,
    ModuleQuery,
    ReleaseEffectSchema,
    ReleaseNoteSchema,
    ServiceModulesSchema,
)
from scorecards.exceptions.people import find_service
from scorecards.exceptions.recording import begin, settle
from scorecards.exceptions.settings import current as exception_settings
from scorecards.exceptions.statuses import statuses_of
from scorecards.exceptions.views import ROLE_LACKS, SERVICE
from scorecards.schemas import NoQuery

Answer = tuple[Any, int, dict[str, str]]
OUTDATED = "It changed since the caller read it."


@blueprint.get("/scorecards/modules")
@blueprint.arguments(ModuleQuery, location="query")
@blueprint.response(200, ModulePageSchema)
def list_modules(query: dict[str, Any]) -> Page[dict[str, Any]]:
    """List the framework modules by name."""
    with reading() as session:
        page = registry.list_modules(session, query["kind"], query["axis"], query["cursor"], query["limit"])
        return Page(_forms(session, page.items, clock.now()), page.next_cursor)


@blueprint.get("/scorecards/modules/<string:module_name>")
@blueprint.arguments(NoQuery, location="query")
@blueprint.response(200, ModuleDetailSchema)
def get_module(_query: dict[str, Any], module_name: str) -> Answer:
    """Read a module with its releases; its ETag is what If-Match takes."""
    with reading() as session:
        module = registry.find(session, module_name)
        return with_content_tag(_forms(session, [module], clock.now())[0], module.version)


@blueprint.put("/scorecards/modules/<string:module_name>")
@blueprint.arguments(ModuleDefinitionSchema)
@blueprint.response(200, ModuleDetailSchema)
@blueprint.alt_response(403, description=ROLE_LACKS)
@blueprint.alt_response(412, description=OUTDATED)
def put_module(body: dict[str, Any], module_name: str) -> Answer:
    """Register a module, or change what is said of it."""
    _require_name("module", module_name)
    wanted = registry.ModuleDefinition(**body)
    with transaction() as session:
        begin(session)
        module = registry.define(session, module_name, wanted, version_asked_for(), current_principal(), clock.now())
        return with_tag(_forms(session, [module], clock.now())[0], module.version)


@blueprint.put("/scorecards/modules/<string:module_name>/releases/<string:version>")
@blueprint.arguments(ReleaseNoteSchema)
@blueprint.response(200, ReleaseEffectSchema)
@blueprint.alt_response(403, description=ROLE_LACKS)
@blueprint.alt_response(409, description="It contradicts what was released.")
@blueprint.alt_response(412, description=OUTDATED)
def put_release(body: dict[str, Any], module_name: str, version: str) -> Answer:
    """Record a release, or change what is said of one; every adopter is judged again, and who gained is told."""
    _require_name("version", version)
    now = clock.now()
    for_good = "supported_until" in body and body["supported_until"] is None
    note = releases.ReleaseNote(**body, supported_for_good=for_good)
    with transaction() as session:
        begin(session)
        released = releases.publish(
            session,
            judging.current().catalogue,
            module_name,
            version,
            note,
            version_asked_for(),
            current_principal(),
            now,
        )
        before = statuses_of(session, released.adopters, released.checks)
        levels = settle(session, released.happenings, now, rejudged=released.adopters)
        after = statuses_of(session, released.adopters, released.checks)
        told = releases.effect(released, before, after, levels, exception_settings().gained_listed)
        adopters = registry.adopters_by_version(session, [module_name])[module_name]
        release = {"release": _release_form(released.release, adopters, now)}
        return with_tag({**release, **told}, released.module.version)


@blueprint.get("/scorecards/modules/<string:module_name>/adopters")
@blueprint.arguments(AdopterQuery, location="query")
@blueprint.response(200, AdopterPageSchema)
def list_adopters(query: dict[str, Any], module_name: str) -> Page[ModuleAdoption]:
    """List the services on a module, all or those on a version, or without a fix."""
    with reading() as session:
        registry.find(session, module_name)
        versions = [query["version"]] if query["version"] else None
        if query["without_fix"]:
            lacking = versions_without(session, module_name, query["without_fix"])
            versions = [version for version in lacking if versions is None or version in versions]
        return adoption.list_adopters(session, module_name, versions, query["cursor"], query["limit"])


@blueprint.get("/scorecards/modules/<string:module_name>/fixes")
@blueprint.arguments(NoQuery, location="query")
@blueprint.response(200, FixListSchema)
def list_fixes(_query: dict[str, Any], module_name: str) -> dict[str, Any]:
    """List a module's fixes, each with the share of the adopters that have it."""
    with reading() as session:
        registry.find(session, module_name)
        return {"items": propagation(session, module_name)}


@blueprint.get(f"{SERVICE}/modules")
@blueprint.arguments(NoQuery, location="query")
@blueprint.response(200, ServiceModulesSchema)
def get_service_modules(_query: dict[str, Any], kind: str, namespace: str, name: str) -> dict[str, Any]:
    """Read what a service is built on, and what it inherits by it."""
    with reading() as session:
        service = find_service(session, judging.current(), kind, namespace, name)
        return modules_of(session, judging.current().catalogue, service, clock.now())


@blueprint.put(f"{SERVICE}/modules/<string:module_name>")
@blueprint.arguments(AdoptionBodySchema)
@blueprint.response(200, AdopterSchema)
@blueprint.alt_response(403, description=ROLE_LACKS)
@blueprint.alt_response(412, description=OUTDATED)
def put_adoption(body: dict[str, Any], kind: str, namespace: str, name: str, module_name: str) -> Answer:
    """Record that a service is built on a version of a module, or change that."""
    now = clock.now()
    wanted = adoption.Adoption(**body)
    with transaction() as session:
        begin(session)
        service = find_service(session, judging.current(), kind, namespace, name)
        done = adoption.adopt(session, service, module_name, wanted, version_asked_for(), current_principal(), now)
        settle(session, done.happenings, now)
        return with_tag(columns_of(done.value), done.value.revision)


@blueprint.delete(f"{SERVICE}/modules/<string:module_name>")
@blueprint.response(204)
@blueprint.alt_response(403, description=ROLE_LACKS)
@blueprint.alt_response(412, description=OUTDATED)
def delete_adoption(kind: str, namespace: str, name: str, module_name: str) -> None:
    """Record that a service is no longer built on a module."""
    now = clock.now()
    with transaction() as session:
        begin(session)
        service = find_service(session, judging.current(), kind, namespace, name)
        done = adoption.leave(session, service, module_name, version_asked_for(), current_principal(), now)
        settle(session, done.happenings, now)


def _require_name(field: str, name: str) -> None:
    if not NAME.fullmatch(name):
        message = "must be 1 to 64 lower-case letters, digits, . _ or -, beginning and ending with a letter or digit"
        raise InvalidInput(f"{field} {message}.", [Fault(field, message)])


def _forms(session: Session, modules: Iterable[FrameworkModule], now: datetime) -> list[dict[str, Any]]:
    names = [module.name for module in modules]
    found, adopters = registry.releases_of(session, names), registry.adopters_by_version(session, names)
    return [
        {
            **columns_of(module),
            "adopters": sum(adopters[module.name].values()),
            "latest_version": found[module.name][0].version if found[module.name] else None,
            "releases": [_release_form(release, adopters[module.name], now) for release in found[module.name]],
        }
        for module in modules
    ]


def _release_form(release: ModuleRelease, adopters: dict[str, int], now: datetime) -> dict[str, Any]:
    return {
        **columns_of(release),
        "supported": registry.is_supported(release, now),
        "adopters": adopters.get(release.version, 0),
    }
