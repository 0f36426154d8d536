"""Two who write the same at the same time, and a process that dies in between."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from engagements import history
from engagements.models import HistoryEvent
from engagements.reviews import rebuilding
from engagements.reviews.models import Finding
from portal_backend.core.principal import Role
from tests.engagements.reviews.conftest import CASE

PLAN = f"{CASE}/plan"
BODIES = {
    f"{CASE}/findings": {"title": "x", "source": "drill", "axis": "change", "severity": "minor"},
    f"{CASE}/improvements": {"title": "x", "axis": "change"},
    f"{CASE}/checklist/answers": {"answers": [{"item": "er.drill", "answer": "na", "reason": "x"}]},
    f"{CASE}/incident-review": {"conclusion": "x"},
    f"{CASE}/launches": {"name": "x"},
}

pytestmark = pytest.mark.usefixtures("case")


def at_once(app, address, *bodies):
    with ThreadPoolExecutor(len(bodies)) as pool:
        return [
            answer.status_code for answer in pool.map(lambda body: app.test_client().post(address, json=body), bodies)
        ]


@pytest.mark.parametrize("address", list(BODIES))
def test_the_same_request_at_once_makes_one_record(app, client, sre, session, address):
    client.post(f"{CASE}/checklist")
    before = session.scalar(select(func.count(HistoryEvent.id)))
    session.rollback()
    assert at_once(app, address, *[BODIES[address]] * 4) in ([200] * 4, [201] * 4)
    assert session.scalar(select(func.count(HistoryEvent.id))) == before + 1
    assert rebuilding.verify(session) == []


def test_both_sides_sign_at_once_and_the_plan_is_agreed_once(app, client, acting, session, kinds):
    acting("root", Role.ADMINISTRATOR)
    client.post(PLAN)
    bodies = [{"version": 1, "side": "dev"}, {"version": 1, "side": "sre_lead"}] * 2
    assert at_once(app, f"{PLAN}/signatures", *bodies) == [200] * 4
    assert client.get(PLAN).json["items"][0]["signed"] is True
    assert (kinds().count("plan.signed"), kinds().count("plan.agreed")) == (1, 1)
    assert rebuilding.verify(session) == []


def test_a_process_that_dies_between_the_row_and_its_event_leaves_neither(client, sre, session, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(history, "record", die)
    with pytest.raises(KeyboardInterrupt):
        client.post(f"{CASE}/findings", json=BODIES[f"{CASE}/findings"])
    monkeypatch.undo()
    assert session.scalar(select(func.count()).select_from(Finding)) == 0
    assert rebuilding.verify(session) == []
