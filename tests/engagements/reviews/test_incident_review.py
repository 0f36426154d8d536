"""What sources count of incidents themselves, beside what the history tells of each."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from engagements import history
from engagements.history import NewEvent
from engagements.models import HistoryEvent
from tests.engagements.conftest import NOW, ref
from tests.engagements.reviews.conftest import CASE

pytestmark = pytest.mark.usefixtures("case")


@pytest.fixture
def two_incidents(session):
    events = [
        NewEvent(ref("globe"), "incident.opened", NOW - timedelta(days=age), "pager", f"i{age}", "It broke.",
                 details={"incident": str(age), "severity": severity})
        for age, severity in ((3, "sev1"), (5, "SEV-2"), (7, "sev4"))
    ]  # fmt: skip
    history.record(session, events, NOW)
    session.commit()


@pytest.mark.usefixtures("two_incidents")
def test_an_incident_that_a_correction_took_back_counts_no_more(client, session):
    wrong = session.scalar(select(HistoryEvent.sequence).where(HistoryEvent.source_event_id == "i3"))
    corrected = NewEvent(ref("globe"), "event.corrected", NOW, "pager", "c", "None.", details={"corrects": wrong})
    history.record(session, [corrected], NOW)
    session.commit()
    body = client.get(f"{CASE}/incident-review").json
    assert (body["incidents"], body["by_severity"]) == (2, {"sev2": 1, "sev4": 1})


@pytest.mark.usefixtures("two_incidents")
def test_row_12_what_a_source_counts_stands_beside_what_the_history_has(client, observe):
    assert client.get(f"{CASE}/incident-review").json["measured"] == []
    observe({"globe": {"incidents.sev12_90d": 4}}, now=NOW)
    body = client.get(f"{CASE}/incident-review").json
    assert [(each["fact"], each["value"], each["source"], each["simulated"]) for each in body["measured"]] == [
        ("incidents.sev12_90d", 4, "prometheus", True)
    ]
    assert body["remarks"] == [
        "prometheus counts 4 incidents of severity 1 or 2 in 90 days, and the history here has 2: look at them there "
        "before you conclude."
    ]
    observe({"globe": {"incidents.sev12_90d": 2}}, timedelta(minutes=1), NOW)
    assert client.get(f"{CASE}/incident-review").json["remarks"] == []
