"""A repository that goes from one provider to another keeps its location, and what it holds its uid."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from catalog.discovery.keeping import keep_found
from catalog.discovery.models import DiscoveredLocation
from catalog.ingestion.refresh import refresh_location
from catalog.models import Entity, Location
from catalog.places.hosts import UrlPolicy
from catalog.settings import CatalogSettings, Include
from portal_backend.catalog_discovery import discover
from tests.catalog.discovery.test_discovery import GITHUB, NOW, ids, provider
from tests.catalog.places.test_code_hosts import host
from tests.catalog.samples import component
from tests.fakes.server import Fault

__all__ = ["host"]

OTHER = replace(GITHUB, name="other", owner="other")


def url(slug: str, path: str = "catalog-info.yaml") -> str:
    return f"https://github.com/{slug}/blob/main/{path}"


def keep(session, one, *pairs, **more):
    found = {target: f"github.com:{number}" for target, number in pairs}
    report = keep_found(session, one, found, 0.05, NOW, named=["acme", "other"], **more)
    session.commit()
    return report


def owners(session) -> dict[str, str]:
    rows = session.execute(select(Location.target, DiscoveredLocation.provider).join(Location))
    return dict(rows.all())


def test_who_finds_a_repository_elsewhere_takes_its_location_over(session):
    keep(session, GITHUB, (url("acme/a"), 1), (url("acme/b"), 2))
    before = ids(session)
    report = keep(session, OTHER, (url("other/a"), 1), (url("other/c"), 3))
    assert (report.moved, report.added) == ((url("other/a"),), (url("other/c"),))
    assert ids(session)["a"] == before["a"]
    assert owners(session) == {url("other/a"): "other", url("acme/b"): "acme", url("other/c"): "other"}
    assert keep(session, OTHER, (url("other/a"), 1), (url("other/c"), 3)).moved == ()
    assert keep(session, GITHUB, (url("acme/b"), 2)).removed == ()


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (url("other/a", "docs/catalog.yaml"), "another file of it"),
        (url("acme/a", "docs/catalog.yaml"), "a second file of a repository that stands where it did"),
        ("https://github.com/acme/a/blob/trunk/catalog-info.yaml", "another branch of it"),
    ],
)
def test_two_files_of_one_repository_are_two_locations(session, found, why):
    keep(session, GITHUB, (url("acme/a"), 1))
    before = set(session.scalars(select(Location.id)))
    assert keep(session, OTHER, (found, 1)).added == (found,), why
    assert before < set(session.scalars(select(Location.id)))
    assert owners(session)[url("acme/a")] == "acme"


def test_nothing_goes_before_the_others_were_asked_and_what_they_find_is_theirs(session):
    keep(session, GITHUB, (url("acme/a"), 1), (url("acme/b"), 2))
    before = ids(session)
    waiting = keep(session, GITHUB, (url("acme/a"), 1), elsewhere=None)
    assert (waiting.withheld, waiting.waits_for_others) == ((url("acme/b"),), True)
    given = keep(session, GITHUB, (url("acme/a"), 1), elsewhere={url("acme/b"): "other"})
    assert (given.removed, given.withheld, given.waits_for_others) == ((), (), False)
    assert (ids(session), owners(session)[url("acme/b")]) == (before, "other")
    assert keep(session, OTHER, elsewhere={}).withheld == (url("acme/b"),)  # its own now, and nothing at all was found


class Hosted:
    """Two providers of a host double, in an application."""

    def __init__(self, fake, app, session, monkeypatch) -> None:
        self.fake, self.app, self.session = fake, app, session
        self.acme = provider(fake)
        self.other = replace(self.acme, name="other", owner="other", every=timedelta(days=1))
        self.monkeypatch = monkeypatch
        self.configure(self.acme, self.other)

    def configure(self, *providers) -> None:
        policy = UrlPolicy((), self.acme.integration.trusted())
        settings = CatalogSettings(urls=policy, integrations=(self.acme.integration,), providers=providers)
        self.monkeypatch.setitem(self.app.extensions, "catalog", settings)

    def run(self, **asked):
        """Return what each provider reports: moved, added, removed, withheld."""
        with self.app.app_context():
            reports = discover(**asked)
            self.session.rollback()
            for location in self.session.scalars(select(Location).execution_options(populate_existing=True)):
                refresh_location(self.session, location, NOW)
            self.session.commit()
        counted = ("moved", "added", "removed", "withheld")
        return {one.provider: tuple(len(getattr(one, name)) for name in counted) for one in reports}

    def uids(self) -> dict[str, str]:
        kept = select(Entity.ref, Entity.uid).where(Entity.kind == "component")
        return dict(self.session.execute(kept).all())

    def rename(self, before: str, after: str) -> None:
        self.fake.repositories[after] = self.fake.repositories.pop(before)


@pytest.fixture
def hosted(host, app, session, monkeypatch) -> Hosted:
    for slug in ("acme/a", "acme/b", "other/c"):
        host.add(slug, {"catalog-info.yaml": component(slug[-1])})
    return Hosted(host, app, session, monkeypatch)


@pytest.mark.parametrize("first", ["acme", "other"])
def test_what_a_transferred_repository_holds_stays_the_same_entity_whoever_is_asked_first(hosted, first):
    if first == "other":
        hosted.configure(hosted.other, hosted.acme)
    assert hosted.run() == {"acme": (0, 2, 0, 0), "other": (0, 1, 0, 0)}
    before = hosted.uids()
    hosted.rename("acme/a", "other/a")
    hosted.rename("other/c", "acme/c")
    assert hosted.run() == {"acme": (1, 0, 0, 0), "other": (1, 0, 0, 0)}
    assert hosted.uids() == before
    assert hosted.run() == {"acme": (0, 0, 0, 0), "other": (0, 0, 0, 0)}


def test_the_other_provider_is_asked_before_its_time_rather_than_that_anything_goes(hosted, monkeypatch):
    hosted.run()
    before = hosted.uids()
    hosted.rename("acme/a", "other/a")
    monkeypatch.setattr("portal_backend.catalog_discovery.due_providers", lambda *_: [hosted.acme])
    assert hosted.run(only_due=True) == {"acme": (0, 0, 0, 0), "other": (1, 0, 0, 0)}
    assert hosted.uids() == before
    del hosted.fake.repositories["acme/b"]
    hosted.fake.add("acme/d", {"catalog-info.yaml": component("d")}, number=9)
    assert hosted.run(only_due=True) == {"acme": (0, 1, 1, 0), "other": (0, 0, 0, 0)}
    assert hosted.uids().keys() == before.keys() - {"component:default/b"} | {"component:default/d"}


def test_while_the_other_cannot_be_asked_nothing_goes_unless_a_person_consents(hosted):
    hosted.run()
    del hosted.fake.repositories["acme/a"]
    listing = {"GithubFiles": "/orgs/other/repos", "GitlabFiles": "/api/v4/groups/other/projects"}
    hosted.fake.faults.append(Fault(500, "oops", times=99, path=listing[type(hosted.fake).__name__]))
    assert hosted.run() == {"acme": (0, 0, 0, 1), "other": (0, 0, 0, 0)}
    assert hosted.run(allow_removals=True) == {"acme": (0, 0, 1, 0), "other": (0, 0, 0, 0)}


def test_a_repository_that_fits_another_providers_rule_now_stays_too(hosted):
    tagged = replace(hosted.acme, name="tagged", include=Include(topics=frozenset({"new"})))
    plain = replace(hosted.acme, include=Include(without_topics=frozenset({"new"})))
    hosted.configure(plain, tagged)
    assert hosted.run() == {"acme": (0, 2, 0, 0), "tagged": (0, 0, 0, 0)}
    before = hosted.uids()
    hosted.fake.repositories["acme/a"]["topics"] = ["new"]
    assert hosted.run() == {"acme": (0, 0, 0, 0), "tagged": (0, 0, 0, 0)}
    assert (hosted.uids(), set(owners(hosted.session).values())) == (before, {"acme", "tagged"})
