"""HTTP: what a changed catalogue would do, what one check does, and the catalogues that were judged by."""

from collections.abc import Sequence
from typing import Any

from catalog.format.refs import BadReference, parse_ref
from portal_backend.core import clock
from portal_backend.core.db import reading
from portal_backend.core.errors import Fault, InvalidInput, NotFound
from portal_backend.core.http import PageQuery
from portal_backend.core.pagination import Page
from scorecards import judging
from scorecards.blueprints import blueprint
from scorecards.checks.definitions import CheckCatalogue
from scorecards.simulation import versions
from scorecards.simulation.documents import Document, effect_form, past_form
from scorecards.simulation.history import every_service, only_services, simulate_past
from scorecards.simulation.judgement import simulate
from scorecards.simulation.proposals import (
    all_enforced,
    changed_catalogue,
    read_proposal,
    with_check_enforced,
    without_check,
)
from scorecards.simulation.schemas import (
    CataloguePageSchema,
    EffectQuery,
    EffectSchema,
    PastEffectSchema,
    PastSimulationSchema,
    SimulationSchema,
    VersionQuery,
    WholeCatalogueSchema,
)

MAX_PAST_JUDGEMENTS = 20_000
"""Services times weeks of one request: some ten seconds of work."""


@blueprint.post("/scorecards/simulate")
@blueprint.arguments(EffectQuery, location="query")
@blueprint.arguments(SimulationSchema)
@blueprint.response(200, EffectSchema)
def simulate_change(query: dict[str, Any], wanted: dict[str, Any]) -> Document:
    """Judge the stored facts by a changed catalogue and tell what would be others; nothing is written.

    400 names every fault of the changed catalogue with file, check and field.
    """
    basis = judging.current()
    changed = _changed(basis, wanted)
    with reading() as session:
        refs = None if wanted["refs"] is None else only_services(session, basis, _refs(wanted["refs"]))
        effect = simulate(session, basis, (basis.catalogue, changed), refs, clock.now())
    return effect_form(effect, query["cursor"], query["limit"])


@blueprint.post("/scorecards/simulate/past")
@blueprint.arguments(PastSimulationSchema)
@blueprint.response(200, PastEffectSchema)
def simulate_past_change(wanted: dict[str, Any]) -> Document:
    """Tell how the fleet would have stood over the past weeks by a changed catalogue; nothing is written.

    400 names every fault of the changed catalogue, and asks for less where it would take too long.
    """
    basis, weeks = judging.current(), wanted["weeks"]
    changed = _changed(basis, wanted)
    with reading() as session:
        named = wanted["refs"]
        refs = every_service(session, basis) if named is None else only_services(session, basis, _refs(named))
        if len(refs) * weeks > MAX_PAST_JUDGEMENTS:
            few = MAX_PAST_JUDGEMENTS // len(refs)
            message = (
                f"{len(refs)} services over {weeks} weeks are too many at once; ask for {few} weeks or name `refs`"
            )
            raise InvalidInput(f"{message}.", [Fault("weeks", message)])
        return past_form(simulate_past(session, basis, (basis.catalogue, changed), refs, weeks, clock.now()))


def _changed(basis: judging.Judging, wanted: dict[str, Any]) -> CheckCatalogue:
    faults: list[Fault] = []
    changes: dict[str, object] = {name: wanted[name] for name in ("checks", "overrides", "disabled") if name in wanted}
    files = [(file["name"], file["content"]) for file in wanted["files"]]
    proposal = read_proposal(files, changes, wanted["without"], faults)
    changed = changed_catalogue(basis.catalogue, proposal, basis.specs, faults)
    return all_enforced(changed) if wanted["as_enforced"] else changed


def _refs(texts: Sequence[str]) -> Sequence[str]:
    try:
        return [str(parse_ref(text, default_kind="component")) for text in texts]
    except BadReference as error:
        raise InvalidInput(str(error), [Fault("refs", str(error))]) from error


@blueprint.get("/scorecards/checks/<string:check_id>/effect")
@blueprint.arguments(EffectQuery, location="query")
@blueprint.response(200, EffectSchema)
def get_effect(query: dict[str, Any], check_id: str) -> Document:
    """Read what a check does to all services: of one in shadow what enforcing it would do, else what having it does.

    404 when the catalogue has none of this id.
    """
    basis = judging.current()
    check = basis.catalogue.checks.get(check_id)
    if check is None:
        raise NotFound(f"There is no check {check_id}; /api/scorecards/checks lists them all.")
    now = clock.now()
    catalogue = basis.catalogue
    if check.enforced(now):
        pair = (without_check(catalogue, check_id), catalogue)
    else:
        pair = (catalogue, with_check_enforced(catalogue, check_id))
    with reading() as session:
        effect = simulate(session, basis, pair, None, now)
    return effect_form(effect, query["cursor"], query["limit"])


@blueprint.get("/scorecards/catalogues")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, CataloguePageSchema)
def list_catalogues(query: dict[str, Any]) -> Page[Document]:
    """List the catalogues of checks by which services were judged, the latest first."""
    with reading() as session:
        return versions.list_versions(session, query["cursor"], query["limit"])


@blueprint.get("/scorecards/catalogues/<string:version>")
@blueprint.arguments(VersionQuery, location="query")
@blueprint.response(200, WholeCatalogueSchema)
def get_catalogue(query: dict[str, Any], version: str) -> Document:
    """Read one catalogue with its checks, and what it changed; 404 when no service was ever judged by it."""
    with reading() as session:
        return versions.read_version(session, version, query["against"])
