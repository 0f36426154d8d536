"""What a changed catalogue would do: compared on stored facts, and nothing is written."""

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
import yaml
from sqlalchemy import func, select

from portal_backend.core import clock
from scorecards.checks.definitions import Axis, CheckCatalogue, Status
from scorecards.judging import init_app
from scorecards.models import Scorecard
from scorecards.scorecard import update
from scorecards.simulation.effect import Change, Verdicts, compare
from scorecards.simulation.judgement import simulate
from scorecards.simulation.models import CatalogueVersion
from scorecards.simulation.proposals import all_enforced, changed_catalogue, read_proposal
from scorecards.simulation.versions import keep_version, list_versions, read_version
from tests.scorecards.conftest import QUILL, REF
from tests.scorecards.known_checks import only_known
from tests.scorecards.samples import DAY, NOW, catalogue

POST = "/api/scorecards/simulate"
STRICTER = {"overrides": [{"check": "cap.saturation", "change": {"thresholds": {"most": 0.01}, "level": 1}}]}


@pytest.fixture
def at_noon(company, session, monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW))
    session.commit()
    return company


def changed(company, changes, enforced=True):
    faults = []
    proposal = read_proposal([], changes, [], faults)
    made = changed_catalogue(company.judging.catalogue, proposal, company.judging.specs, faults)
    return all_enforced(made) if enforced else made


def effect_of(company, changes, refs=None, enforced=True):
    pair = (company.judging.catalogue, changed(company, changes, enforced))
    return simulate(company.session, company.judging, pair, refs, NOW)


def test_the_same_catalogue_changes_nothing(company):
    effect = effect_of(company, {})
    assert (effect.judged, effect.services, effect.checks) == (2, [], [])
    assert effect.summary == "Nothing would change: 2 services judged."


def test_a_stricter_threshold_names_the_services_that_would_fail(company):
    effect = effect_of(company, STRICTER)
    (service,) = effect.services
    assert service.ref == REF
    assert service.checks == [("cap.saturation", Status.PASS, Status.FAIL)]
    (check,) = effect.checks
    assert (check.check.id, check.change) == ("cap.saturation", Change.CHANGED)
    assert check.moves == Counter({(Status.PASS, Status.FAIL): 1})
    assert "Checks: 1 changed. Of 2 services, 1 would change" in effect.summary


def test_what_is_simulated_is_what_judging_then_does(company, session):
    """The proof of the pudding: put the changed catalogue to use and compare verdict for verdict."""
    new = changed(company, STRICTER)
    effect = simulate(session, company.judging, (company.judging.catalogue, new), None, NOW)
    update(session, company.judging, None, NOW)
    before = {row.entity_ref: (row.level, row.percent) for row in session.scalars(select(Scorecard))}
    session.expire_all()
    update(session, replace(company.judging, catalogue=new), None, NOW)
    after = {row.entity_ref: (row.level, row.percent) for row in session.scalars(select(Scorecard))}
    moved = {ref for ref in before if before[ref] != after[ref]}
    assert moved == {service.ref for service in effect.services}
    for service in effect.services:
        level = None if service.after.level is None else f"L{service.after.level}"
        assert (level, service.after.percent) == after[service.ref]


def test_nothing_is_written(at_noon, session):
    effect_of(at_noon, STRICTER)
    assert session.scalar(select(func.count()).select_from(Scorecard)) == 0
    assert session.scalar(select(func.count()).select_from(CatalogueVersion)) == 0


def test_a_check_in_shadow_moves_no_level_until_it_is_enforced(company):
    shadow = {
        "overrides": [
            {
                "check": "cap.saturation",
                "change": {"thresholds": {"most": 0.01}, "level": 1, "enforce_from": "2027-01-15"},
            }
        ]
    }
    today = effect_of(company, shadow, enforced=False)
    then = effect_of(company, shadow)
    now, later = (next(one for one in effect.services if one.ref == REF) for effect in (today, then))
    assert now.checks == later.checks == [("cap.saturation", Status.PASS, Status.FAIL)]
    assert now.after.percent != now.before.percent  # it has left the ratio
    assert now.after.axes == now.before.axes
    assert later.after.axes[Axis.CAPACITY] == 0


def test_an_own_fact_of_the_changed_files_is_unknown_and_no_crash(company):
    check = {
        **{key: value for key, value in catalogue().checks["cap.limits"].definition.items() if key != "if_missing"},
        "id": "org.lines",
        "rule": "repo.lines < 100000 and entity.metadata.name != quill",
        "passes": "Lines: {repo.lines}.",
        "fails": "Lines: {repo.lines}.",
    }
    proposal = f"facts: [{{key: repo.lines, type: integer, description: Lines}}]\nchecks: {yaml.safe_dump([check])}"
    indented = proposal.replace("checks: ", "checks:\n")
    faults = []
    files = read_proposal([("org.yaml", indented)], {}, [], faults)
    new = changed_catalogue(company.judging.catalogue, files, company.judging.specs, faults)
    effect = simulate(company.session, company.judging, (company.judging.catalogue, new), None, NOW)
    verdicts = {service.ref: {check: after for check, _, after in service.checks} for service in effect.services}
    assert verdicts[REF]["org.lines"] is Status.UNKNOWN
    assert verdicts[QUILL]["org.lines"] is Status.FAIL


def test_a_check_that_comes_or_goes_changes_no_service_that_it_does_not_concern(company):
    check = {
        **catalogue().checks["cap.limits"].definition,
        "id": "org.limits",
        "applies_to": {"when": "name == quill", "otherwise": "It is another."},
    }
    added = effect_of(company, {"checks": [check]})
    assert [service.ref for service in added.services] == [QUILL]
    (effect,) = added.checks
    assert (effect.after[Status.NOT_APPLICABLE], sum(effect.moves.values())) == (1, 1)
    assert added.summary.startswith("Checks: 1 added. Of 2 services, 1 would change")
    removed = simulate(company.session, company.judging, (added.after, added.before), None, NOW)
    assert [service.ref for service in removed.services] == [QUILL]


def test_what_falls_farthest_comes_first():
    def verdicts(level, **statuses):
        return Verdicts(level, 50.0, dict.fromkeys(Axis, level), statuses)

    before = {"a": verdicts(2), "b": verdicts(3), "c": verdicts(1), "d": verdicts(1), "e": verdicts(None)}
    after = {"a": verdicts(1), "b": verdicts(1), "c": verdicts(2), "d": verdicts(1), "e": verdicts(0)}
    effect = compare(before, after, CheckCatalogue({}, "x"), CheckCatalogue({}, "y"))
    assert [service.ref for service in effect.services] == ["b", "a", "c", "e"]
    assert (effect.lowered, effect.raised) == (2, 2)
    assert effect.levels_before == Counter({"L1": 2, "L2": 1, "L3": 1, "none": 1})


def test_over_http_a_change_is_answered_check_by_check_and_service_by_service(at_noon, client):
    answer = client.post(POST, json=STRICTER)
    assert answer.status_code == 200
    assert answer.json["judged"] == 2
    assert answer.json["checks"] == [
        {
            "check": "cap.saturation",
            "title": "Headroom is left",
            "axis": "capacity",
            "level": "L1",
            "change": "changed",
            "before": {"pass": 1, "unknown": 1},
            "after": {"fail": 1, "unknown": 1},
            "moves": [{"before": "pass", "after": "fail", "services": 1}],
        }
    ]
    first = answer.json["items"][0]
    assert first["ref"] == REF
    verdict = {"check": "cap.saturation", "before": "pass", "after": "fail"}
    assert verdict | {"shadow_before": False, "shadow_after": False} in first["verdicts"]
    assert answer.json["version_before"] != answer.json["version_after"]


def test_pages_follow_one_another_and_a_foreign_cursor_is_refused(at_noon, client):
    body = {"disabled": [{"check": "arch.owner", "reason": "try"}]}
    first = client.post(f"{POST}?limit=1", json=body).json
    assert first["changed"] == 2
    second = client.post(f"{POST}?limit=1&cursor={first['next_cursor']}", json=body).json
    assert {first["items"][0]["ref"], second["items"][0]["ref"]} == {REF, QUILL}
    assert second["next_cursor"] is None
    assert client.post(f"{POST}?cursor=Zm9v", json=body).status_code == 400


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"files": [{"name": "org.yaml", "content": "a: ["}]}, "org.yaml"),
        ({"files": [{"name": "org.yaml", "content": "- {id: org.x}"}]}, "org.yaml: org.x: title"),
        ({"overrides": [{"check": "no.such", "change": {"level": 1}}]}, "(request): overrides[0]: check"),
        ({"without": ["nothing.yaml"]}, "without[0]"),
        ({"refs": ["::"]}, "refs"),
        ({"refs": [REF, "component:default/typo"]}, "the catalog has no service component:default/typo"),
        ({"colour": "red"}, "colour"),
        ({"refs": []}, "refs"),
        ({"files": [{"name": "org.yaml", "content": "[]"}] * 2}, "org.yaml', 'message': 'is given twice"),
        ({"refs": ["component:default/typo"] * 2}, "has no service component:default/typo'"),
    ],
)
def test_a_change_that_cannot_be_is_refused_with_every_fault_named(at_noon, client, body, path):
    answer = client.post(POST, json=body)
    assert answer.status_code == 400
    assert path in str(answer.json)


def test_a_file_of_the_same_name_takes_the_place_of_todays(at_noon, client):
    text = "- " + yaml.safe_dump(dict(catalogue().checks["cap.limits"].definition), sort_keys=False).replace(
        "\n", "\n  "
    )
    answer = client.post(POST, json={"files": [{"name": "capacity.yaml", "content": text}], "refs": [REF]})
    assert answer.status_code == 200, answer.json
    removed = {one["check"] for one in answer.json["checks"] if one["change"] == "removed"}
    assert removed == {name for name in catalogue().checks if name.startswith("cap.")} - {"cap.limits"}
    assert answer.json["judged"] == 1


def test_the_effect_of_an_enforced_check_is_that_of_having_it(at_noon, client):
    answer = client.get("/api/scorecards/checks/cap.limits/effect").json
    (check,) = answer["checks"]
    assert (check["check"], check["change"], check["before"]) == ("cap.limits", "added", {})
    assert sum(check["after"].values()) == 2
    assert client.get("/api/scorecards/checks/no.such/effect").status_code == 404


def test_the_effect_of_a_check_in_shadow_is_that_of_enforcing_it(at_noon, client, app):
    today = only_known(at_noon.judging.catalogue)
    shadow = replace(today.checks["cap.limits"], enforce_from=date(2027, 1, 15))
    init_app(app, replace(at_noon.judging, catalogue=replace(today, checks={**today.checks, "cap.limits": shadow})))
    answer = client.get("/api/scorecards/checks/cap.limits/effect").json
    assert [(one["check"], one["change"], one["moves"]) for one in answer["checks"]] == [("cap.limits", "changed", [])]
    assert all(item["percent_before"] != item["percent_after"] for item in answer["items"])
    assert all(
        (one["check"], one["before"] == one["after"], one["shadow_before"], one["shadow_after"])
        == ("cap.limits", True, True, False)
        for item in answer["items"]
        for one in item["verdicts"]
    )
    assert all(item["verdicts"] for item in answer["items"])


def test_a_catalogue_is_kept_once_and_says_what_it_changed(company, session):
    today = company.judging.catalogue
    assert keep_version(session, today, NOW)
    assert not keep_version(session, today, NOW + DAY)
    later = changed(company, {**STRICTER, "disabled": [{"check": "cap.storage", "reason": "No data."}]})
    assert keep_version(session, later, NOW + DAY)
    page = list_versions(session, None, 10)
    assert [(one["version"], one["checks"]) for one in page.items] == [(later.version, 56), (today.version, 57)]
    whole = read_version(session, later.version, None)
    assert whole["against"] == today.version
    assert whole["changes"] == [
        {"check": "cap.saturation", "change": Change.CHANGED, "fields_changed": ["level", "thresholds"]},
        {"check": "cap.storage", "change": Change.REMOVED, "fields_changed": []},
    ]


def test_kept_catalogues_are_read_over_http(at_noon, session, client):
    version = at_noon.judging.catalogue.version
    keep_version(session, at_noon.judging.catalogue, NOW)
    session.commit()
    (one,) = client.get("/api/scorecards/catalogues").json["items"]
    assert (one["version"], one["first_used_at"]) == (version, "2026-11-22T12:00:00Z")
    whole = client.get(f"/api/scorecards/catalogues/{version}").json
    assert len(whole["definitions"]) == 57
    assert client.get("/api/scorecards/catalogues/nope").status_code == 404
    assert client.get(f"/api/scorecards/catalogues/{version}?against=nope").status_code == 404
