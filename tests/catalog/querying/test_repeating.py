"""What is sent again after a write is what would be found anew; only what is unlike costs a read of documents."""

from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import delete, select, update

from catalog.models import Entity, EntityBody
from catalog.querying import remembering, repeating
from catalog.versions import next_version
from portal_backend.core.remembering import Remembered
from tests.catalog.samples import NOW, bring_in, component, files
from tests.catalog.test_counting import something_happens

BASE = "/api/catalog"
LIST = f"{BASE}/entities/by-query?orderField=metadata.name,asc"
QUESTIONS = [
    f"{BASE}/entities?limit=2",
    f"{BASE}/entities?limit=2&offset=1&filter=kind=component",
    f"{BASE}/entities?limit=2&filter=kind=component&fields=metadata.name,metadata.tags",
    f"{BASE}/entities?filter=kind=component",
    f"{LIST}&limit=2",
    f"{LIST}&limit=0",
    f"{LIST}&limit=3&filter=metadata.tags=java",
    f"{LIST}&limit=3&filter=kind=component&fullTextFilterTerm=s&totalItems=exclude",
    f"{BASE}/entities/by-query?limit=2&orderField=spec.owner,desc&filter=kind=component",
    f"{BASE}/entity-facets?facet=kind&facet=metadata.tags",
]


def ask(client, question: str = QUESTIONS[0]):
    answer = client.get(question)
    assert answer.status_code == 200, answer.data
    return answer.data, answer.headers["ETag"], answer.headers.get("Link")


def something_else_is_written(session) -> None:
    next_version(session)
    session.commit()


@pytest.fixture
def memory(monkeypatch) -> Remembered:
    found = Remembered(remembering.answers.capacity)
    monkeypatch.setattr(repeating, "answers", found)
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_an_answer_is_the_one_that_would_be_found_anew(
    session, client, tmp_path, memory, monkeypatch, seed
):
    chance, now = Random(seed), NOW
    bring_in(session, files(tmp_path, a=component("s0")))
    for _ in range(12):
        now += timedelta(minutes=chance.choice([1, 200]))
        for _ in range(chance.randint(0, 2)):
            something_happens(session, chance, tmp_path, now)
            bring_in(session, tmp_path, now, allow_removals=True)
        given = [ask(client, question) for question in QUESTIONS]
        page = client.get(f"{LIST}&limit=1").json["pageInfo"]
        led_on = [client.get(f"{BASE}/entities/by-query?cursor={cursor}").json for cursor in page.values()]
        with monkeypatch.context() as forgetful:
            forgetful.setattr(repeating, "answers", Remembered(0))
            forgetful.setattr("catalog.querying.lists.answers", Remembered(0))
            assert [ask(client, question) for question in QUESTIONS] == given
            assert [client.get(f"{BASE}/entities/by-query?cursor={cursor}").json for cursor in page.values()] == led_on


@pytest.mark.parametrize("question", [QUESTIONS[0], f"{LIST}&limit=2"])
def test_no_document_is_read_again_as_long_as_the_etags_are_the_same(session, client, tmp_path, memory, question):
    bring_in(session, files(tmp_path, a="---\n".join(component(name) for name in "abcd")))
    first = ask(client, question)
    something_else_is_written(session)
    assert ask(client, question) == first
    session.execute(update(EntityBody).values(body=b"{}"))  # as no write would leave it
    something_else_is_written(session)
    assert ask(client, question) == first
    of_a = Entity.ref == "component:default/a"
    session.execute(update(Entity).where(of_a).values(etag="another"))
    something_else_is_written(session)
    assert b"{},{}" in ask(client, question)[0]


def test_what_tells_only_whether_more_follow_counts_too(session, client, tmp_path, memory):
    bring_in(session, files(tmp_path, a="---\n".join(component(name) for name in "abcx")))
    question = f"{BASE}/entities?limit=3&filter=kind=component"
    for _ in range(3):
        assert ask(client, question)[2]
        something_else_is_written(session)
    of_x = select(Entity.id).where(Entity.ref == "component:default/x")
    session.execute(delete(EntityBody).where(EntityBody.id == of_x.scalar_subquery()))
    session.execute(delete(Entity).where(Entity.ref == "component:default/x"))
    something_else_is_written(session)
    assert ask(client, question)[2] is None


def test_a_scan_whose_questions_come_once_asks_for_no_etags(session, client, tmp_path, memory, monkeypatch):
    bring_in(session, files(tmp_path, a="---\n".join(component(name) for name in "abc")))
    seen = []
    read = repeating.Written

    def written(response, signature):
        seen.append(signature)
        return read(response, signature)

    monkeypatch.setattr(repeating, "Written", written)
    ask(client)
    something_else_is_written(session)
    ask(client)
    assert [signature is None for signature in seen] == [True, False]
