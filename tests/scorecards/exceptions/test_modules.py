"""Framework modules: what they answer for the services built on them, and how far an improvement reaches."""

from threading import Thread

import pytest
from sqlalchemy import select

from engagements.models import HistoryEvent
from portal_backend.core.principal import Role
from scorecards.exceptions.loading import load_in_force
from scorecards.exceptions.models import ModuleAdoption
from scorecards.exceptions.modules.adoption import adoptions_of, provided
from tests.scorecards.exceptions.conftest import QUILL, SHAKESPEARE
from tests.scorecards.samples import DAY, NOW

REF = "component:default/quill"
MODULES = "/api/scorecards/modules"
OWNER = [Role.PLATFORM_OWNER]
DEFINITION = {
    "title": "Instrumentation",
    "description": "Exports the four signals of every server.",
    "kind": "instrumentation_metrics",
    "owner": "group:default/platform",
    "capabilities": ["monitoring"],
}


def define(call, name="metrics", roles=OWNER, headers=None, **changes):
    return call("pat", roles, "put", f"{MODULES}/{name}", {**DEFINITION, **changes}, **(headers or {}))


def release(call, version, name="metrics", roles=OWNER, **note):
    return call("pat", roles, "put", f"{MODULES}/{name}/releases/{version}", note)


def adopt(call, version, name="metrics", path=QUILL, roles=(Role.DEV,), headers=None, **more):
    body = {"version": version, **more}
    return call("ann", list(roles), "put", f"{path}/modules/{name}", body, **(headers or {}))


def built_on(call, path=QUILL):
    return call("x", [], "get", f"{path}/modules").json


def inherited(session, ref=REF, now=NOW):
    session.expire_all()
    found = load_in_force(session, [ref], now).get(ref)
    return {check: f"{one.module} {one.module_version}" for check, one in found.inherited.items()} if found else {}


def events(session, ref=REF):
    session.expire_all()
    query = select(HistoryEvent).where(HistoryEvent.entity_ref == ref, HistoryEvent.kind.like("framework.%"))
    return [event.kind for event in session.scalars(query.order_by(HistoryEvent.sequence))]


@pytest.fixture
def metrics(call):
    """A module with one release that answers a check."""
    assert define(call).status_code == 200
    answer = release(call, "1.0", satisfies_checks=["obs.golden"], supported_until="2027-06-01T00:00:00Z")
    assert answer.status_code == 200, answer.json
    return call


def test_row_34_a_module_says_which_checks_it_answers(metrics):
    module = metrics("x", [], "get", f"{MODULES}/metrics").json
    assert (module["kind"], module["axis"], module["latest_version"]) == (
        "instrumentation_metrics",
        "observability",
        "1.0",
    )
    assert module["releases"][0]["satisfies_checks"] == ["obs.golden"]
    assert module["releases"][0]["supported"] is True
    assert metrics("x", [], "get", f"{MODULES}?kind=request_logging").json["items"] == []
    assert [one["name"] for one in metrics("x", [], "get", f"{MODULES}?axis=observability").json["items"]] == [
        "metrics"
    ]


@pytest.mark.parametrize(
    ("kind", "axis"),
    [
        ("instrumentation_metrics", "observability"),
        ("request_logging", "observability"),
        ("traffic_load_control", "capacity"),
    ],
)
def test_row_38_each_kind_of_module_serves_its_axis_and_others_name_theirs(call, kind, axis):
    assert define(call, kind=kind).json["axis"] == axis
    assert define(call, kind=kind, axis="change").status_code == 400
    assert define(call, "own", kind="release_control").status_code == 400
    assert define(call, "own", kind="release_control", axis="change").json["axis"] == "change"


def test_row_35_a_fix_spreads_with_the_versions_that_have_it(metrics):
    release(metrics, "1.1", fixes=["CVE-2026-7"])
    release(metrics, "2.0", fixes=["slow-histogram"])
    assert adopt(metrics, "1.0").status_code == 200
    assert adopt(metrics, "2.0", path=SHAKESPEARE).status_code == 200

    def spread():
        items = metrics("x", [], "get", f"{MODULES}/metrics/fixes").json["items"]
        return {one["fix"]: (one["first_in"], one["with_fix"], one["adopters"], one["percent"]) for one in items}

    assert spread() == {"slow-histogram": ("2.0", 1, 2, 50.0), "CVE-2026-7": ("1.1", 1, 2, 50.0)}
    lacking = metrics("x", [], "get", f"{MODULES}/metrics/adopters?without_fix=CVE-2026-7").json["items"]
    assert [(one["ref"], one["version"]) for one in lacking] == [(REF, "1.0")]
    adopt(metrics, "1.1")
    assert spread() == {"slow-histogram": ("2.0", 1, 2, 50.0), "CVE-2026-7": ("1.1", 2, 2, 100.0)}
    assert metrics("x", [], "get", f"{MODULES}/metrics/adopters?without_fix=typo").status_code == 404


def test_a_fix_carried_back_to_an_older_line_is_no_fix_of_the_newer_one(metrics, at):
    at(NOW + DAY)
    release(metrics, "2.0")
    at(NOW + 2 * DAY)
    release(metrics, "1.1", follows="1.0", fixes=["CVE-2026-7"])
    adopt(metrics, "2.0")
    assert metrics("x", [], "get", f"{MODULES}/metrics/fixes").json["items"][0]["percent"] == 0.0


def test_row_36_the_capabilities_that_are_uniform_for_a_service_are_told(metrics, session):
    define(metrics, "log", kind="request_logging", capabilities=["logging"])
    release(metrics, "3", "log")
    define(metrics, "config", kind="configuration", axis="change", capabilities=["configuration", "controls"])
    release(metrics, "7", "config", supported_until="2027-01-01T00:00:00Z")
    adopt(metrics, "1.0")
    adopt(metrics, "3", "log")
    assert built_on(metrics)["uniform"] is False
    adopt(metrics, "7", "config")
    told = built_on(metrics)
    assert told["uniform"] is True
    assert told["capabilities"] == {
        "logging": ["log 3"],
        "monitoring": ["metrics 1.0"],
        "configuration": ["config 7"],
        "controls": ["config 7"],
    }
    assert "controls" not in provided(adoptions_of(session, [REF])[REF], NOW + 60 * DAY)


def test_row_41_a_release_scores_every_adopter_again_and_tells_who_gained(metrics, session):
    adopt(metrics, "1.0", follows_releases=True)
    adopt(metrics, "1.0", path=SHAKESPEARE)
    answer = release(metrics, "1.1", satisfies_checks=["obs.golden", "obs.burn_alert"])
    assert answer.status_code == 200, answer.json
    told = answer.json
    assert (told["adopters"], told["moved"]) == (2, 1)
    assert told["gained"]["count"] == 1
    assert told["gained"]["items"][0] | {"from_level": None, "to_level": None} == {
        "ref": REF,
        "checks": ["obs.burn_alert"],
        "from_level": None,
        "to_level": None,
    }
    assert told["lost"] == {"count": 0, "items": []}
    assert inherited(session) == {"obs.golden": "metrics 1.1", "obs.burn_alert": "metrics 1.1"}
    assert events(session) == ["framework.adopted", "framework.upgraded"]
    again = release(metrics, "1.1", satisfies_checks=["obs.golden", "obs.burn_alert"])
    assert (again.json["adopters"], again.json["gained"]["count"]) == (0, 0)
    assert events(session) == ["framework.adopted", "framework.upgraded"]


def test_an_end_of_support_takes_what_was_inherited_and_tells_who_lost(metrics, session, at):
    adopt(metrics, "1.0")
    at(NOW + DAY)
    told = release(metrics, "1.0", supported_until="2026-11-22T13:00:00Z").json
    assert (told["lost"]["count"], told["lost"]["items"][0]["checks"]) == (1, ["obs.golden"])
    assert inherited(session, now=NOW + DAY) == {}
    back = release(metrics, "1.0", supported_until=None).json
    assert back["gained"]["count"] == 1
    assert back["release"]["supported_until"] is None


def test_support_ends_by_itself_on_its_day(metrics, session):
    adopt(metrics, "1.0")
    assert inherited(session) == {"obs.golden": "metrics 1.0"}
    assert load_in_force(session, None, NOW)[REF].changes_at.isoformat() == "2027-06-01T00:00:00+00:00"
    assert load_in_force(session, None, NOW + 191 * DAY) == {}


def test_row_42_a_service_inherits_n_of_its_m_checks_named_with_module_and_version(metrics):
    before = built_on(metrics)
    assert (before["inherited_count"], before["items"]) == (0, [])
    assert before["could_inherit"] == [{"module": "metrics", "version": "1.0", "checks": ["obs.golden"]}]
    adopt(metrics, "1.0")
    told = built_on(metrics)
    assert told["inherited"] == [
        {
            "check": "obs.golden",
            "title": told["inherited"][0]["title"],
            "module": "metrics",
            "version": "1.0",
            "supported_until": "2027-06-01T00:00:00Z",
            "status": "inherited",
        }
    ]
    assert told["inherited_count"] == 1
    assert told["applicable_count"] == before["applicable_count"] > 1
    assert told["could_inherit"] == []


def test_a_local_override_cancels_the_inheritance_of_its_check(metrics, session):
    adopt(metrics, "1.0")
    answer = adopt(metrics, "1.0", local_overrides={"obs.golden": "We export our own four signals."})
    assert answer.status_code == 200
    assert inherited(session) == {}
    assert built_on(metrics)["could_inherit"] == []
    assert adopt(metrics, "1.0", local_overrides={"cap.limits": "This is another check."}).status_code == 400
    assert adopt(metrics, "1.0", local_overrides={"obs.golden": "no"}).status_code == 400
    adopt(metrics, "1.0")
    assert inherited(session) == {"obs.golden": "metrics 1.0"}
    assert events(session) == ["framework.adopted", "framework.overridden", "framework.overridden"]


def test_of_two_modules_that_answer_a_check_the_one_supported_longest_is_named(metrics, session):
    define(metrics, "sidecar", kind="instrumentation_metrics")
    release(metrics, "1", "sidecar", satisfies_checks=["obs.golden"])
    adopt(metrics, "1.0")
    adopt(metrics, "1", "sidecar")
    assert inherited(session) == {"obs.golden": "sidecar 1"}


def test_leaving_a_module_ends_what_was_inherited_and_repeating_it_changes_nothing(metrics, session):
    adopt(metrics, "1.0")
    for _ in range(2):
        assert metrics("ann", [Role.DEV], "delete", f"{QUILL}/modules/metrics").status_code == 204
    assert inherited(session) == {}
    assert events(session) == ["framework.adopted", "framework.left"]
    adopt(metrics, "1.0")
    assert events(session) == ["framework.adopted", "framework.left", "framework.adopted"]


def test_who_may_register_release_and_adopt(call, metrics):
    assert define(call, "other", roles=[Role.SRE_LEAD]).status_code == 403
    assert release(call, "9", roles=[Role.DEV_LEAD]).status_code == 403
    assert adopt(call, "1.0", roles=[Role.SRE]).status_code == 403
    assert call("bob", [], "delete", f"{QUILL}/modules/metrics").status_code == 403
    assert adopt(call, "1.0", roles=[Role.DEV_LEAD]).status_code == 200


@pytest.mark.parametrize(
    ("note", "field"),
    [
        ({"satisfies_checks": ["no.such"]}, "satisfies_checks[0]"),
        ({"follows": "0.9"}, "follows"),
        ({"follows": "1.1"}, "follows"),
        ({"released_at": "2026-11-23T00:00:00Z"}, "released_at"),
        ({"supported_until": "2026-11-22T12:00:00Z"}, "supported_until"),
        ({"fixes": [7]}, "fixes[0]"),
        ({"fixes": ["x"] * 201}, "fixes"),
        ({"support": None}, "support"),
    ],
)
def test_a_release_with_faults_is_refused_with_the_field_at_fault(metrics, note, field):
    answer = release(metrics, "1.1", **note)
    assert answer.status_code == 400, answer.json
    assert [fault["field"] for fault in answer.json["errors"]] == [field]


def test_a_release_that_is_out_keeps_its_date_and_what_it_continues(metrics):
    assert release(metrics, "1.0", released_at="2026-11-01T00:00:00Z").status_code == 409
    release(metrics, "1.1")
    assert release(metrics, "1.1", follows="1.1").status_code == 409
    assert release(metrics, "1.1", follows="1.0", notes="Faster.").json["release"]["notes"] == "Faster."


def test_a_release_that_waited_for_another_one_follows_it(metrics, at):
    """Two at once: whoever began first may be written last."""
    at(NOW - DAY)
    assert release(metrics, "1.1").json["release"]["follows"] == "1.0"
    assert release(metrics, "1.1").status_code == 200


def test_a_definition_is_replaced_by_whoever_saw_it_last(call):
    first = define(call)
    assert first.headers["ETag"] == '"1"'
    assert define(call).headers["ETag"] == '"1"'
    changed = define(call, title="Metrics", headers={"If-Match": '"1"'})
    assert (changed.headers["ETag"], changed.json["title"]) == ('"2"', "Metrics")
    assert define(call, title="Other", headers={"If-Match": '"1"'}).status_code == 412
    assert define(call, title="Other", headers={"If-Match": "x"}).status_code == 400
    for name in ("Upper", "a/b", "-a", "a" * 65):
        assert define(call, name).status_code in {400, 404}, name


def test_a_reader_is_told_when_a_service_adopts_though_the_module_stayed(metrics):
    tag = metrics("x", [], "get", f"{MODULES}/metrics").headers["ETag"]
    assert metrics("x", [], "get", f"{MODULES}/metrics", **{"If-None-Match": tag}).status_code == 304
    adopt(metrics, "1.0")
    answer = metrics("x", [], "get", f"{MODULES}/metrics", **{"If-None-Match": tag})
    assert (answer.status_code, answer.json["adopters"], answer.json["releases"][0]["adopters"]) == (200, 1, 1)
    assert define(metrics, title="New", headers={"If-Match": tag}).status_code == 200


def test_an_adoption_is_replaced_by_whoever_saw_it_last(metrics, session):
    release(metrics, "1.1")
    first = adopt(metrics, "1.0")
    assert first.headers["ETag"] == '"1"'
    assert adopt(metrics, "1.0").headers["ETag"] == '"1"'
    assert adopt(metrics, "1.1", headers={"If-Match": '"1"'}).headers["ETag"] == '"2"'
    assert adopt(metrics, "1.0", headers={"If-Match": '"1"'}).status_code == 412
    assert events(session) == ["framework.adopted", "framework.upgraded"]


def test_two_adopt_at_once_and_one_adoption_stands(metrics, app, session):
    answers = []
    adopt(metrics, "1.0", roles=[Role.DEV], path=SHAKESPEARE)

    def send() -> None:
        answers.append(app.test_client().put(f"{QUILL}/modules/metrics", json={"version": "1.0"}).status_code)

    threads = [Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200, 200, 200]
    assert len(session.scalars(select(ModuleAdoption).where(ModuleAdoption.entity_ref == REF)).all()) == 1
    assert events(session) == ["framework.adopted"]


def test_what_does_not_exist_is_said_so(metrics):
    assert adopt(metrics, "1.0", "nothing").status_code == 404
    assert adopt(metrics, "4.0").status_code == 400
    assert adopt(metrics, "1.0", path="/api/services/component/default/ink").status_code == 404
    assert metrics("x", [], "get", f"{MODULES}/nothing").status_code == 404
    assert metrics("x", [], "get", f"{MODULES}/no%00thing").status_code == 404
    assert metrics("x", [], "get", f"{MODULES}/nothing/fixes").status_code == 404
    assert release(metrics, "1", "nothing").status_code == 404


def test_lists_are_paged(call):
    for number in range(5):
        define(call, f"module-{number}")
    seen, cursor = [], ""
    while cursor is not None:
        page = call("x", [], "get", f"{MODULES}?limit=2{cursor and '&cursor='}{cursor}").json
        seen += [one["name"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [f"module-{number}" for number in range(5)]
    assert call("x", [], "get", f"{MODULES}?cursor=WzFd").status_code == 400
