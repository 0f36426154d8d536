"""A client that knows the specification and what the API answers, and nothing of the code behind it.

At each state it asks what may be done, compares that with what the specification says, and tries everything else.
"""

from dataclasses import dataclass, field

import pytest
from sqlalchemy import event as listening

from portal_backend.core.db import db
from tests.engagements.lifecycle.conftest import PEOPLE, World, company

__all__ = ["company"]

OUTSIDER = "dan"
"""A developer: they move nothing, whatever the state."""


@dataclass
class Walk:
    """An engagement on its way, from which every illegal step is tried as well."""

    world: World
    engagement: str
    service: str
    visited: list[str] = field(default_factory=list)

    def get(self, path=""):
        return self.world.done("sam", "GET", f"{self.engagement}{path}")

    def put(self, who, path, body):
        return self.world.done(who, "PUT", f"{self.engagement}/{path}", body)

    def post(self, who, path, body):
        return self.world.done(who, "POST", f"{self.engagement}/{path}", body)

    def move(self, who, to, **more):
        """Make a legal move; asking for it once more changes nothing."""
        self.legal_here()
        moved = self.world.moved(who, self.engagement, to, **more)
        again = self.world.done(who, "POST", f"{self.engagement}/transitions", {"to": to, **more})
        assert again["version"] == moved["version"]
        return moved

    def at(self, state, *legal):
        """Check where it is and which ways lead on by the specification, and try all that must not work."""
        shown = self.get("/transitions")
        assert (shown["state"], {each["to"] for each in shown["items"]}) == (state, set(legal))
        self.visited.append(state)
        before = self.frozen()
        for target in [*shown["not_from_here"], "active" if state != "active" else "requested"]:
            if target in legal:
                continue
            refused = self.world.ask("ada", "POST", f"{self.engagement}/transitions", {"to": target, "reason": "try"})
            named = [each["field"] for each in refused.json["errors"]]
            assert refused.status_code == 409
            assert named == ["way"] or (shown["paused"] and named[0] == "not_paused")
        for step in shown["items"]:
            self.refuse_the_wrong_people(step)
            self.refuse_what_is_missing(step)
        assert self.frozen() == before

    def refuse_the_wrong_people(self, step):
        for who in (OUTSIDER, "bot"):
            answer = self.world.ask(who, "POST", f"{self.engagement}/transitions", {"to": step["to"]})
            assert answer.status_code in (403, 409), step
            assert "role" in [each["field"] for each in answer.json["errors"]]
            assert not set(step["roles"]) & {role.value for role in PEOPLE[who]}

    def refuse_what_is_missing(self, step):
        """Whoever has the role is told by the refusal exactly what the listing told before."""
        who = next(name for name, roles in PEOPLE.items() if {role.value for role in roles} & set(step["roles"]))
        seen = self.world.done(who, "GET", f"{self.engagement}/transitions")
        mine = next(each for each in seen["items"] if each["to"] == step["to"])
        assert mine["yours"]
        unmet = [failure for guard in mine["guards"] if not guard["met"] for failure in guard["failures"]]
        assert mine["allowed"] is not bool(unmet)
        assert all(failure["message"] and failure["remedy"] for failure in unmet)
        if mine["allowed"]:
            return
        answer = self.world.ask(who, "POST", f"{self.engagement}/transitions", {"to": step["to"]})
        assert answer.status_code in (403, 409)
        named = [each["field"] for each in answer.json["errors"]]
        assert named == [guard["guard"] for guard in mine["guards"] for _ in guard["failures"]]
        assert all(each["remedy"] in answer.json["detail"] for each in unmet)
        required = {guard["given_in"] for guard in mine["guards"] if not guard["met"]} - {None}
        assert required == set(mine["required"]) <= set(mine["needs"])

    def legal_here(self):
        shown = self.get()
        assert [each["to"] for each in shown["next"]] == shown["legal_next"]

    def frozen(self):
        shown = self.get()
        tier = self.world.done("sam", "GET", f"/api/services/component/default/{self.service}/tier")
        return shown["version"], shown["state"], shown["paused"], tier["version"], tier["tier"]

    def tier(self):
        return self.world.tier(self.service)["tier"]

    def closed(self, state):
        """Check that nothing leads out of a closed engagement."""
        shown = self.get("/transitions")
        assert (shown["state"], shown["items"]) == (state, [])
        self.visited.append(state)
        for target in shown["not_from_here"]:
            answer = self.world.ask("ada", "POST", f"{self.engagement}/transitions", {"to": target, "reason": "x"})
            assert answer.status_code == 409
            assert "closed" in answer.json["detail"]
        late = self.world.ask("sam", "PUT", f"{self.engagement}/rotation", {"members": ["ann"]})
        assert late.status_code == 409


class CountingWorld(World):
    """A world in which each request is one transaction: a write commits once, with all it changes, a read nothing."""

    def __init__(self, client, monkeypatch, engine):
        super().__init__(client, monkeypatch)
        self.unsaved, self.commits = False, 0
        listening.listen(engine, "before_cursor_execute", self.see_statement)
        listening.listen(engine, "commit", self.see_commit)

    def see_statement(self, _connection, _cursor, statement, *_rest):
        self.unsaved = self.unsaved or statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))

    def see_commit(self, _connection):
        self.commits += self.unsaved
        self.unsaved = False

    def ask(self, who, method, path, body=None, headers=None):
        self.unsaved, self.commits = False, 0
        answer = super().ask(who, method, path, body, headers)
        assert self.commits <= (0 if method == "GET" or answer.status_code >= 400 else 1), (method, path)
        return answer


@pytest.fixture
def world(app, client, monkeypatch, company):
    with app.app_context():
        engine = db.engine
    world = CountingWorld(client, monkeypatch, engine)
    yield world
    listening.remove(engine, "before_cursor_execute", world.see_statement)
    listening.remove(engine, "commit", world.see_commit)


@pytest.fixture
def ask_for(world):
    """Ask for an engagement and walk it."""

    def ask(who, model, service="globe", **more):
        body = {"entity_ref": f"component:default/{service}", "model": model, **more}
        return Walk(world, world.done(who, "POST", "/api/engagements", body)["id"], service)

    return ask
