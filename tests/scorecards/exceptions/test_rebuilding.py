"""Whatever people attested, waived, adopted or exempted can be made again from the histories."""

from sqlalchemy import delete, select, update

from engagements.exception_states import rebuild
from portal_backend import exception_events
from portal_backend.core.principal import Role
from scorecards.campaigns.models import CampaignExemption
from scorecards.exceptions.models import AttestationRow, ModuleAdoption, WaiverRow, columns_of
from tests.scorecards.exceptions.conftest import ATTESTABLE, QUILL, SHAKESPEARE
from tests.scorecards.samples import DAY, NOW

LEAD, SRE, OWNER = [Role.DEV_LEAD], [Role.SRE_LEAD], [Role.PLATFORM_OWNER]
TABLES = (AttestationRow, WaiverRow, ModuleAdoption, CampaignExemption)


def test_the_tables_follow_from_the_histories(call, session, at, app):
    live_through_much(call, at, app)
    session.expire_all()
    before = rows(session)
    assert {name: len(found) for name, found in before.items()} == {
        "attestation": 3,
        "waiver": 5,
        "framework_module_adoption": 2,
        "campaign_exemption": 1,
    }
    assert rebuild(session) == []
    for table in TABLES:
        session.execute(delete(table))
    assert len(rebuild(session)) == 11
    session.expire_all()
    assert rows(session) == before
    session.execute(update(WaiverRow).values(reason="Somebody wrote into the table."))
    session.expire_all()
    assert len(rebuild(session)) == 5
    session.expire_all()
    assert rows(session) == before


def rows(session):
    return {
        table.__tablename__: sorted((columns_of(row) for row in session.scalars(select(table))), key=repr)
        for table in TABLES
    }


def live_through_much(call, at, app):
    """Every way for every one of them to begin, change and end."""

    def attest(path, statement):
        body = {"check": ATTESTABLE, "holds": True, "statement": statement, "evidence_url": "https://wiki.example/x"}
        return call("ann", LEAD, "post", f"{path}/attestations", body).json["id"]

    def waive(check, **more):
        body = {
            "check": check,
            "reason": "The platform moves to new nodes.",
            "compensating_control": "The namespace has a quota.",
            "until": "2026-12-31T00:00:00Z",
            **more,
        }
        return call("ann", LEAD, "post", f"{QUILL}/waivers", body).json["id"]

    def decide(id_, verb, name="sue", roles=SRE):
        body = {"reason": "As discussed on Monday."}
        assert call(name, roles, "post", f"/api/scorecards/waivers/{id_}/{verb}", body).status_code == 200

    attest(QUILL, "The drill of June went well.")
    second = attest(QUILL, "The drill of September went well.")
    call("sam", SRE, "post", f"/api/scorecards/attestations/{second}/overturn", {"reason": "Nobody remembers it."})
    attest(SHAKESPEARE, "The drill of October went well.")
    first = waive("cap.limits")
    decide(first, "approve")
    decide(waive("cap.limits", renews=first, until="2027-02-01T00:00:00Z"), "approve")
    decide(waive("obs.golden"), "reject")
    decide(waive("cap.autoscale"), "end", "ann", LEAD)
    decide(waive("obs.burn_alert"), "approve")
    module = {
        "title": "Metrics",
        "description": "Exports the four signals.",
        "kind": "instrumentation_metrics",
        "owner": "group:default/platform",
    }
    assert call("pat", OWNER, "put", "/api/scorecards/modules/metrics", module).status_code == 200
    release = "/api/scorecards/modules/metrics/releases"
    call("pat", OWNER, "put", f"{release}/1", {"satisfies_checks": ["obs.golden"]})
    for path in (QUILL, SHAKESPEARE):
        body = {"version": "1", "follows_releases": path == QUILL, "local_overrides": {"obs.golden": "In our own way."}}
        assert call("ann", LEAD, "put", f"{path}/modules/metrics", body).status_code == 200
    assert call("pat", OWNER, "put", f"{release}/2", {}).json["moved"] == 1
    plan = {
        "title": "Limits",
        "reason": "A neighbour starved the checkout.",
        "owner": "group:default/sre",
        "checks": ["cap.limits"],
        "due_on": "2026-12-31",
    }
    campaign = "/api/scorecards/campaigns/limits"
    assert call("sue", SRE, "put", campaign, plan).status_code == 200
    for name in ("quill", "shakespeare"):
        body = {"reason": "It is switched off soon.", "until": "2027-01-31T00:00:00Z"}
        assert call("sue", SRE, "put", f"{campaign}/exemptions/component/default/{name}", body).status_code == 200
    call("sue", SRE, "delete", f"{campaign}/exemptions/component/default/quill")
    at(NOW + 60 * DAY)
    with app.app_context():
        assert exception_events.record_expiries() == 1
