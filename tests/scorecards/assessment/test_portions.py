"""Portions of services judged in this process and in another one: the same comes of it, whoever does it."""

import pickle
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from plugins.health import health
from portal_backend.core.processes import other_processes
from scorecards import scorecard
from scorecards.assessment.kit import state_of
from scorecards.assessment.portions import Basis, judged, opened
from scorecards.judging import sources_version
from scorecards.keeping import last_of
from scorecards.loading import gather
from scorecards.models import Scorecard, ScorecardChange
from tests.scorecards.conftest import QUILL, REF
from tests.scorecards.samples import NOW

LATER = NOW + timedelta(minutes=10)


def basis_of(session, judging, now):
    states = health(session, now)
    told = {name: state_of(state) for name, state in states.items()}
    return Basis(judging.kit, told, sources_version(states), now)


def elsewhere(value):
    """Return a value as another process gets it."""
    return pickle.loads(pickle.dumps(value))


def test_every_check_comes_to_the_same_in_another_process(company, session):
    judging = company.judging
    for now in (NOW, LATER):
        portion = gather(session, judging, None, now)
        portion = replace(portion, before=last_of(session, sorted(portion.subjects), judging.plan))
        basis = basis_of(session, judging, now)
        here = judged(basis, portion)
        assert {row["entity_ref"] for row in here.rows} >= {REF}
        assert judged(elsewhere(basis), elsewhere(portion)) == here
        scorecard.update(session, judging, None, now)
        company.observe({"deploys.change_failure_rate_30d": 0.4}, now=LATER)
        company.observe({"deploys.change_failure_rate_30d": 0.4}, QUILL, LATER)


def test_a_kit_travels_without_what_is_compiled_and_arrives_once(judging):
    first, second = elsewhere(judging.kit), elsewhere(judging.kit)
    assert first is second
    assert first.catalogue.version == judging.catalogue.version
    assert first.plan.number_of == judging.plan.number_of
    assert [one.slots for one in first.plan.checks] == [one.slots for one in judging.plan.checks]


def stored(session):
    session.expire_all()
    cards = {
        card.entity_ref: (card.fingerprint, card.statuses, card.percent) for card in session.scalars(select(Scorecard))
    }
    changes = [(one.entity_ref, one.at, one.document) for one in session.scalars(select(ScorecardChange))]
    return cards, sorted(changes)


def test_services_judged_with_another_process_are_kept_as_if_judged_here(company, session, monkeypatch):
    monkeypatch.setattr(scorecard, "PORTION", 1)
    company.write("more.yaml", "---".join(MORE.format(number=number) for number in range(4)))
    with session.begin_nested() as undone:
        scorecard.update(session, company.judging, None, NOW)
        here = stored(session)
        undone.rollback()
    with other_processes(1) as run:
        scorecard.update(session, company.judging, None, NOW, run)
    assert stored(session) == here
    assert REF in here[0]


@pytest.mark.parametrize("keeps", [True, False])
def test_what_was_observed_is_read_when_somebody_looks_and_kept_for_whoever_looks_again(company, session, keeps):
    judging = company.judging
    portion = gather(session, judging, None, NOW)
    states = health(session, NOW)
    observations = opened(portion, judging.kit, states, judging.supply(states), NOW, keeps).observations
    assert set(observations) == portion.subjects.keys() | portion.neighbours.keys()
    assert len(observations) == len(set(observations))
    first, second = observations[REF], observations[REF]
    assert (first is second) is keeps
    assert first.told == second.told
    assert "alerts.paging.count_30d" in first


@pytest.fixture
def some(company, monkeypatch):
    """A company whose services are read and kept in several steps, each beside the judging where the database can."""
    monkeypatch.setattr(scorecard, "AT_ONCE", 2)
    monkeypatch.setattr(scorecard, "PORTION", 1)
    company.write("more.yaml", "---".join(MORE.format(number=number) for number in range(5)))
    return company


def test_services_read_and_kept_beside_the_judging_are_kept_as_in_one_step(some, session, monkeypatch):
    with monkeypatch.context() as plain, session.begin_nested() as undone:
        plain.setattr(scorecard, "AT_ONCE", 100)
        moved = scorecard.update(session, some.judging, None, NOW)
        in_one_step = stored(session)
        undone.rollback()
    assert scorecard.update(session, some.judging, None, NOW) == moved
    assert stored(session) == in_one_step
    assert len(in_one_step[0]) > 5


def test_what_fails_beside_the_judging_is_raised_and_nothing_after_it_is_kept(some, session, monkeypatch):
    kept = []

    def fails_then(session, written):
        kept.append(written)
        raise OSError("the disk is full")

    monkeypatch.setattr(scorecard, "keep", fails_then)
    with pytest.raises(OSError, match="the disk is full"):
        scorecard.update(session, some.judging, None, NOW)
    assert len(kept) == 1
    assert session.scalars(select(Scorecard.entity_ref)).all() == []


MORE = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: service-{number}}}
spec: {{type: service, lifecycle: production, owner: bards, dependsOn: [component:shakespeare]}}
"""
