"""Postmortems in a folder of the repository, and releases that are launches: from GitHub and from GitLab alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from marshmallow import ValidationError

from plugins import postmortems
from plugins.connectors import github, gitlab
from plugins.contract import Batch, Connector, Event, PullContext, Target
from plugins.http_client import Limits, SourceClient
from portal_backend.core.config import Secret, SourceAuth
from tests.conftest import shared
from tests.fakes.github import GitHub
from tests.fakes.gitlab import GitLab
from tests.fakes.server import Fake, Fault
from tests.plugins.connectors.reading import joined

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SLUG = "acme/shop"
CHECKOUT, SEARCH = "component:default/checkout", "component:default/search"
FOLDER = "docs/postmortems"
WHOLE = """---
incident: PT4KHLK
date: 2026-11-20
severity: sev1
cause: bad_change
services: [checkout]
actions:
  - {title: Roll out in steps, priority: P1, due_at: 2026-12-01, done: false}
---
# The card outage

What happened.
"""
FILES = {
    f"{FOLDER}/cards.md": (WHOLE, NOW - 9 * DAY),
    f"{FOLDER}/2026-11-18-search.md": ("# Search was slow\n", NOW - 9 * DAY),
    f"{FOLDER}/undated.md": ("no heading", NOW - 5 * DAY),
    f"{FOLDER}/TEMPLATE.md": ("# Title", NOW),
    f"{FOLDER}/picture.png": ("", NOW),
    f"{FOLDER}/.draft.md": ("# Not yet", NOW),
}


class Host:
    """A code host with one repository, in which two services live."""

    def __init__(self, fake: Fake, connector: Connector, annotation: str, auth: SourceAuth) -> None:
        self.fake, self.connector, self.annotation, self.auth = fake, connector, annotation, auth

    def pull(self, *names: str, cursor: str | None = None, **options: Any) -> Batch:
        client = SourceClient(self.fake.url, self.auth, Limits(attempts=1))
        targets = [
            Target(f"component:default/{name}", name, {self.annotation: SLUG})
            for name in names or ("checkout", "search")
        ]
        loaded = self.connector.options_schema().load(options)
        return joined(self.connector, PullContext("code", client, loaded, targets, NOW, cursor))


@contextmanager
def github_host() -> Iterator[Host]:
    fake = GitHub(shared("specs", "github.openapi.json"))
    release = {"published_at": "2026-11-10T09:00:00Z", "html_url": "https://github.example/r"}
    fake.add(
        SLUG,
        files=FILES,
        releases=[
            {"tag_name": "v9", "draft": True, **release, "published_at": None},
            {"tag_name": "launch-basket", "name": "The new basket", "prerelease": False, **release},
            {"tag_name": "launch-wishes", "name": "", "prerelease": True, **release},
            {"tag_name": "v8-launch-notes", "prerelease": False, **release},
        ],
    )
    with fake.running():
        yield Host(fake, github.CONNECTOR, github.SLUG, SourceAuth(token=Secret("${CODE_TOKEN}")))


@contextmanager
def gitlab_host() -> Iterator[Host]:
    fake = GitLab(shared("specs", "gitlab.openapi.json"))
    release = {"released_at": "2026-11-10T09:00:00Z", "_links": {"self": "https://gitlab.example/r"}}
    fake.add(
        SLUG,
        texts=FILES,
        releases=[
            {"tag_name": "launch-next", "upcoming_release": True, **release},
            {"tag_name": "launch-basket", "name": "The new basket", **release},
            {"tag_name": "v8-launch-notes", **release},
        ],
    )
    auth = SourceAuth(header="PRIVATE-TOKEN", value=Secret("${CODE_TOKEN}"))
    with fake.running():
        yield Host(fake, gitlab.CONNECTOR, gitlab.SLUG, auth)


@pytest.fixture(params=[github_host, gitlab_host], ids=["github", "gitlab"])
def host(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("CODE_TOKEN", "fake-token")
    with request.param() as made:
        yield made
        assert made.fake.problems == []


def of_kind(batch: Batch, kind: str) -> list[Event]:
    return [event for event in batch.events if event.kind == kind]


def test_a_postmortem_is_told_with_its_incident_its_cause_and_its_actions(host: Host) -> None:
    told = {event.details["path"]: event for event in of_kind(host.pull(postmortems=FOLDER), "postmortem.published")
            if event.ref == CHECKOUT}  # fmt: skip
    assert sorted(told) == [f"{FOLDER}/{name}.md" for name in ("2026-11-18-search", "cards", "undated")]
    cards = told[f"{FOLDER}/cards.md"]
    assert cards.occurred_at == datetime(2026, 11, 20, tzinfo=UTC)
    assert cards.summary == "Postmortem: The card outage"
    assert (cards.details["incident"], cards.details["cause"], cards.details["severity"]) == (
        "PT4KHLK", "bad_change", "sev1",
    )  # fmt: skip
    assert cards.details["actions"] == [
        {"title": "Roll out in steps", "priority": "P1", "due_at": "2026-12-01", "done": False}
    ]
    assert cards.link.endswith(f"blob/main/{FOLDER}/cards.md")


def test_when_it_was_published_is_told_by_the_file_its_name_or_its_first_commit(host: Host) -> None:
    told = {event.details["path"]: event.occurred_at for event in host.pull(postmortems=FOLDER).events}
    assert told[f"{FOLDER}/2026-11-18-search.md"] == datetime(2026, 11, 18, tzinfo=UTC)
    assert told[f"{FOLDER}/undated.md"] == NOW - 5 * DAY


def test_a_postmortem_that_names_services_is_theirs_and_any_other_is_everybodys(host: Host) -> None:
    refs: dict[str, set[str]] = {}
    for event in of_kind(host.pull(postmortems=FOLDER), "postmortem.published"):
        refs.setdefault(event.details["path"], set()).add(event.ref)
    assert refs[f"{FOLDER}/cards.md"] == {CHECKOUT}
    assert refs[f"{FOLDER}/undated.md"] == {CHECKOUT, SEARCH}


def test_a_file_is_read_once_and_again_when_a_service_joins_the_repository(host: Host) -> None:
    first = host.pull("search", postmortems=FOLDER)
    before = len(host.fake.requests)
    second = host.pull("search", postmortems=FOLDER, cursor=first.cursor)
    assert of_kind(second, "postmortem.published") == []
    assert [path for path in host.fake.paths()[before:] if path.endswith(".md")] == []
    third = host.pull("search", "checkout", postmortems=FOLDER, cursor=second.cursor)
    assert {event.ref for event in of_kind(third, "postmortem.published")} == {CHECKOUT, SEARCH}
    ids = {event.source_event_id for event in of_kind(first, "postmortem.published")}
    assert ids < {event.source_event_id for event in of_kind(third, "postmortem.published")}


def test_releases_whose_whole_tag_fits_are_launches(host: Host) -> None:
    launches = of_kind(host.pull("search", launch_tags="launch-.*"), "launch.stage_entered")
    told = {event.details["launch"]: event for event in launches}
    assert told.keys() - {"launch-wishes"} == {"launch-basket"}
    assert told["launch-basket"].details["stage"] == "full"
    assert told["launch-basket"].occurred_at == datetime(2026, 11, 10, 9, tzinfo=UTC)
    if "launch-wishes" in told:  # only GitHub marks previews
        assert told["launch-wishes"].details["stage"] == "canary"


def test_neither_is_asked_for_unless_it_is_named(host: Host) -> None:
    assert [event.kind for event in host.pull().events] == []
    assert [path for path in host.fake.paths() if path.endswith(("postmortems", "tree"))] == []


def test_a_repository_without_the_folder_has_no_postmortem(host: Host) -> None:
    batch = host.pull(postmortems="somewhere/else")
    assert (batch.events, batch.faults) == ([], [])


def test_what_may_not_be_read_is_a_fault_and_the_facts_stay(host: Host) -> None:
    struck = (
        "/repos/acme/shop/contents" if isinstance(host.fake, GitHub) else "/api/v4/projects/acme/shop/repository/tree"
    )
    host.fake.faults.append(Fault(403, "{}", path=struck))
    batch = host.pull(postmortems=FOLDER)
    assert [fault.scope for fault in batch.faults] == [f"{SLUG}: postmortems and launches"]
    assert batch.facts


def test_an_expression_that_is_none_is_refused_in_the_configuration() -> None:
    with pytest.raises(ValidationError, match="no regular expression"):
        github.CONNECTOR.options_schema().load({"launch_tags": "launch-("})


@pytest.mark.parametrize(
    ("text", "title", "details"),
    [
        ("---\nincident: [\n---\n# Broken front\n", "Broken front", {}),
        ("---\n- a list\n---\n# A list\n", "A list", {}),
        ("---\ntitle: Named\nincident: 17\nservices: Checkout\n---\n", "Named", {"incident": 17}),
        ("", "x.md", {}),
    ],
)
def test_front_matter_that_makes_no_sense_costs_nothing_else(text: str, title: str, details: dict[str, Any]) -> None:
    one = postmortems.read("docs/x.md", text)
    assert (one.title, one.details, one.published_at) == (title, details, None)
