"""Catalog files of a whole organisation: found in few requests, registered, and let go with care."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from catalog.discovery import github, gitlab
from catalog.discovery.finding import find_targets
from catalog.discovery.keeping import due_providers, keep_failure, keep_found, let_go_unnamed, provider_states
from catalog.discovery.models import DiscoveredLocation, DiscoveryRun
from catalog.ingestion.refresh import refresh_location, register_location
from catalog.models import Entity, EntityChange, Location
from catalog.places.faults import Unreadable
from catalog.places.hosts import UrlPolicy
from catalog.registering.registrations import keep_configured
from catalog.settings import CatalogSettings, Include, Provider
from portal_backend.catalog_discovery import discover
from tests.catalog.places.test_code_hosts import host, integration, page
from tests.catalog.samples import component
from tests.fakes.code_hosts import GithubFiles
from tests.fakes.server import Fault

__all__ = ["host"]

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def provider(fake, **include) -> Provider:
    return Provider("acme", integration(fake), "acme", Include(**include))


def find(fake, **include) -> list[str]:
    asked = provider(fake, **include)
    return list(find_targets(asked, UrlPolicy((), asked.integration.trusted())))


def url(fake, slug: str, path: str = "catalog-info.yaml", ref: str = "main") -> str:
    return page(fake, path, ref, f"acme/{slug}")


def test_every_catalog_file_is_found_in_few_requests(host):
    for number in range(230):
        host.add(f"acme/r{number:03}", {"catalog-info.yaml": ""} if number % 2 else {"README.md": ""})
    host.add("other/r", {"catalog-info.yaml": ""})
    assert find(host) == [url(host, f"r{number:03}") for number in range(1, 230, 2)]
    batches = 3 if isinstance(host, GithubFiles) else 10
    assert len(host.requests) == 3 + batches


@pytest.mark.parametrize(
    ("include", "names"),
    [
        ({}, ["plain", "tagged"]),
        ({"archived": True}, ["old", "plain", "tagged"]),
        ({"forks": True}, ["copy", "plain", "tagged"]),
        ({"repository": "ta.*|pl"}, ["tagged"]),
        ({"topics": frozenset({"backstage"})}, ["tagged"]),
        ({"without_topics": frozenset({"backstage"})}, ["plain"]),
    ],
)
def test_the_rule_says_which_repositories_are_looked_into(host, include, names):
    files = {"catalog-info.yaml": ""}
    host.add("acme/old", files, archived=True)
    host.add("acme/copy", files, fork=True)
    host.add("acme/plain", files)
    host.add("acme/tagged", files, topics=["Backstage", "x"])
    host.add("acme/empty", {}, branch=None)
    assert find(host, **include) == [url(host, name) for name in names]


def test_a_branch_and_a_path_may_be_named(host):
    host.add("acme/a", {"deep/it.yaml": ""}, branches={"main", "cat/x"})
    host.add("acme/b", {"deep/it.yaml": ""})
    assert find(host, branch="cat/x", path="deep/it.yaml") == [url(host, "a", "deep/it.yaml", "cat%2Fx")]


def test_a_pattern_makes_each_repository_a_location_of_its_own(host):
    host.add("acme/a", {"x/catalog-info.yaml": ""})
    assert find(host, path="**/catalog-info.yaml") == [url(host, "a", "**/catalog-info.yaml")]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(403, "{}", {"retry-after": "60"}), "too many requests"),
        (Fault(200, '{"message": "x"}'), "no list"),
        (Fault(200, '[{"id": 1}]'), "has no"),
        (Fault(200, '{"errors": [{"message": "complexity"}], "data": null}', path="/graphql"), "complexity"),
        (Fault(200, '{"data": {"nodes": []}}', path="/graphql"), "answers for 0 of 1|answers no projects"),
        (Fault(200, "<html>", path="/graphql"), "no JSON"),
        (Fault(502, "oops", path="/graphql"), "502"),
    ],
)
def test_what_cannot_be_asked_whole_finds_nothing(host, fault, message):
    (graphql,) = host.undocumented
    host.add("acme/a", {"catalog-info.yaml": ""})
    host.faults.append(replace(fault, path=graphql if fault.path == "/graphql" else fault.path))
    with pytest.raises(Unreadable, match=message):
        find(host)


GITHUB = Provider("acme", CatalogSettings().integrations[0], "acme")


def keep(session, targets, **more):
    found = targets if isinstance(targets, dict) else {target: f"github.com:{target}" for target in targets}
    report = keep_found(session, GITHUB, found, 0.05, NOW, **more)
    session.commit()
    return report


def targets(session) -> list[str]:
    return list(session.scalars(select(Location.target).order_by(Location.target)))


def some(count: int) -> list[str]:
    return [f"https://github.com/acme/r{number:02}/blob/main/catalog-info.yaml" for number in range(count)]


def test_what_is_found_is_registered_once_and_what_vanished_goes(session):
    assert len(keep(session, some(3)).added) == 3
    assert keep(session, some(3)).added == ()
    report = keep(session, some(2))
    assert (report.removed, report.withheld) == ((some(3)[2],), ())
    assert targets(session) == some(2)


def test_more_than_a_few_wait_for_a_person(session):
    keep(session, some(40))
    report = keep(session, some(37))
    assert (len(report.withheld), len(targets(session))) == (3, 40)
    assert session.get_one(DiscoveryRun, "acme").withheld == 3
    assert keep(session, []).removed == ()
    assert len(keep(session, some(38)).removed) == 2
    assert len(keep(session, [], allow_removals=True).removed) == 38


def test_what_somebody_else_registered_stays_theirs(session):
    (target,) = some(1)
    register_location(session, "url", target, NOW)
    assert keep(session, [target]).added == ()
    keep(session, [], allow_removals=True)
    assert targets(session) == [target]


def test_what_portal_yaml_names_meanwhile_stays_and_is_told(session):
    keep(session, some(3))
    keep_configured(session, [("url", some(3)[2])], NOW)
    report = keep(session, some(2))
    assert (report.removed, report.withheld) == ((), ())
    assert [text.partition(": ")[2] for text in report.skipped] == ["portal.yaml names it, so it stays"]
    assert targets(session) == some(3)
    assert keep(session, some(2)).skipped == ()


def test_a_file_that_cannot_be_registered_keeps_no_other_out(session):
    report = keep(session, [*some(1), "https://github.com/acme/" + "r" * 3000])
    assert (report.added, len(report.skipped)) == (tuple(some(1)), 1)
    assert "2000 characters" in report.skipped[0]


def at(*pairs) -> dict[str, str]:
    """Targets of repositories, given as name and number."""
    return {some_url(name): f"github.com:{number}" for name, number in pairs}


def some_url(name: str) -> str:
    return f"https://github.com/acme/{name}/blob/main/catalog-info.yaml"


def ids(session) -> dict[str, str]:
    return {target.split("/")[4]: id_ for target, id_ in session.execute(select(Location.target, Location.id))}


def test_the_location_of_a_renamed_repository_follows_it(session):
    keep(session, at(("a", 1), ("b", 2)))
    before = ids(session)
    report = keep(session, at(("renamed", 1), ("b", 2), ("c", 3)))
    assert (report.moved, report.added, report.removed) == ((some_url("renamed"),), (some_url("c"),), ())
    after = ids(session)
    assert (after["renamed"], after["b"], after.keys()) == (before["a"], before["b"], {"renamed", "b", "c"})
    assert keep(session, at(("renamed", 1), ("b", 2), ("c", 3))).moved == ()
    (change,) = session.scalars(select(EntityChange))
    assert (change.actor, change.fields) == (
        "provider:acme",
        [["spec.target", some_url("a"), some_url("renamed")]],
    )


def test_a_name_that_another_repository_took_over_is_another_location(session):
    keep(session, at(("a", 1), ("b", 2)))
    before = ids(session)
    report = keep(session, at(("c", 2), ("b", 1), ("a", 3)))
    assert (len(report.moved), report.added, report.removed) == (2, (some_url("a"),), ())
    after = ids(session)
    assert (after["b"], after["c"]) == (before["a"], before["b"])
    assert after["a"] not in before.values()


def test_names_given_round_in_a_circle_and_targets_of_others_stay_where_they_are(session):
    keep(session, at(("a", 1), ("b", 2), ("d", 4)))
    register_location(session, "url", some_url("theirs"), NOW)
    before = ids(session)
    report = keep(session, at(("a", 2), ("b", 1), ("theirs", 4)))
    assert (report.moved, report.added, report.removed) == ((), (), (some_url("d"),))
    assert ids(session) == {name: before[name] for name in ("a", "b", "theirs")}
    assert keep(session, at(("a", 1), ("b", 2), ("theirs", 4))).moved == ()


def test_what_portal_yaml_names_does_not_follow(session):
    keep(session, at(("a", 1), ("b", 2)))
    keep_configured(session, [("url", some_url("a"))], NOW)
    report = keep(session, at(("renamed", 1), ("b", 2)))
    assert (report.moved, report.added, len(report.skipped)) == ((), (some_url("renamed"),), 1)
    assert targets(session) == [some_url("a"), some_url("b"), some_url("renamed")]


def test_repositories_that_an_older_release_found_are_known_from_the_next_run_on(session):
    keep(session, at(("a", 1)))
    session.execute(update(DiscoveredLocation).values(repository=None))
    assert keep(session, at(("a", 1))).moved == ()
    assert keep(session, at(("renamed", 1))).moved == (some_url("renamed"),)


def test_what_a_renamed_repository_holds_stays_the_same_entity(host, app, session, monkeypatch):
    host.add("acme/old", {"catalog-info.yaml": component("a") + "---\n" + component("b")})
    asked = provider(host)
    settings = CatalogSettings(
        urls=UrlPolicy((), asked.integration.trusted()), integrations=(asked.integration,), providers=(asked,)
    )
    monkeypatch.setitem(app.extensions, "catalog", settings)

    def brought():
        """What a run finds, and the uids of what is read there."""
        with app.app_context():
            (report,) = discover()
            location = session.scalars(select(Location).execution_options(populate_existing=True)).one()
            refresh_location(session, location, NOW)
            session.commit()
        uids = dict(session.execute(select(Entity.ref, Entity.uid).where(Entity.kind == "component")).all())
        return (len(report.added), len(report.moved), location.target), uids

    first, uids = brought()
    host.repositories["acme/new"] = host.repositories.pop("acme/old")
    renamed, after_rename = brought()
    host.repositories["acme/new"] |= {"branch": "trunk", "branches": {"trunk"}}
    other_branch, after_all = brought()
    assert [first, renamed, other_branch] == [
        (1, 0, url(host, "old")), (0, 1, url(host, "new")), (0, 1, url(host, "new", ref="trunk")),
    ]  # fmt: skip
    assert uids.keys() == {"component:default/a", "component:default/b"}
    assert uids == after_rename == after_all


def leave(session, *named: str, **more):
    reports = let_go_unnamed(session, named, 0.05, NOW, **more)
    session.commit()
    return [(one.provider, one.configured, len(one.removed), len(one.withheld)) for one in reports]


def test_the_locations_of_a_provider_that_is_named_no_more_wait_for_a_person_and_are_seen(session):
    keep(session, some(3))
    assert leave(session, "acme") == []
    assert leave(session, "other") == [("acme", False, 0, 3)]
    (state,) = provider_states(session, [])
    assert (state["name"], state["host"], state["configured"], state["withheld"]) == ("acme", None, False, 3)
    assert leave(session, allow_removals=True) == [("acme", False, 3, 0)]
    assert (targets(session), provider_states(session, []), leave(session)) == ([], [], [])


def test_a_provider_of_another_name_takes_over_what_it_finds_too(session):
    keep(session, some(3))
    ids = set(session.scalars(select(Location.id)))
    renamed = replace(GITHUB, name="renamed")
    report = keep_found(session, renamed, dict.fromkeys(some(2), "github.com:1"), 0.05, NOW, named=["renamed"])
    assert (report.added, report.removed) == ((), ())
    assert leave(session, "renamed") == [("acme", False, 1, 0)]
    assert set(session.scalars(select(Location.id))) < ids
    assert [one["name"] for one in provider_states(session, [renamed])] == ["renamed"]


def test_a_provider_is_asked_again_in_its_own_time(session):
    assert due_providers(session, [GITHUB], NOW) == [GITHUB]
    keep_failure(session, GITHUB, "no answer", NOW)
    assert due_providers(session, [GITHUB], NOW + timedelta(minutes=29)) == []
    assert due_providers(session, [GITHUB], NOW + timedelta(minutes=30)) == [GITHUB]
    assert (session.get_one(DiscoveryRun, "acme").last_error, keep(session, []).error) == ("no answer", None)
    assert session.get_one(DiscoveryRun, "acme").last_error is None


def test_an_organisation_comes_into_the_catalog_and_a_failing_host_changes_nothing(host, app, session, monkeypatch):
    user = "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: ann}\nspec: {memberOf: []}\n"
    host.add("acme/a", {"catalog-info.yaml": component("a")})
    host.add("acme/b", {"catalog-info.yaml": user})
    asked = provider(host)
    settings = CatalogSettings(
        urls=UrlPolicy((), asked.integration.trusted()), integrations=(asked.integration,), providers=(asked,)
    )
    monkeypatch.setitem(app.extensions, "catalog", settings)
    with app.app_context():
        (report,) = discover()
        assert (report.error, len(report.added)) == (None, 2)
        assert discover(only_due=True) == []
        for location in session.scalars(select(Location)):
            refresh_location(session, location, NOW)
        session.commit()
        found = set(session.scalars(select(Entity.ref).where(Entity.kind != "location")))
        assert found == {"component:default/a"}  # what nobody but an author chose may hold no users
        host.faults.append(Fault(500, "oops", times=9))
        (report,) = discover()
        assert "answers 500" in report.error
    states = app.test_client().get("/api/catalog/providers").json
    assert [(one["name"], one["found"], "500" in one["last_error"]) for one in states] == [("acme", 2, True)]
    assert len(targets(session)) == 2


def test_github_of_ones_own_answers_graphql_beside_its_api():
    assert github.graphql_url("https://api.github.com") == "https://api.github.com/graphql"
    assert github.graphql_url("https://ghe.example.com/api/v3") == "https://ghe.example.com/api/graphql"
    assert gitlab.graphql_url("https://gitlab.com/api/v4") == "https://gitlab.com/api/graphql"
