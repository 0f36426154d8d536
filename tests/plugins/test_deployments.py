"""What deployments say together, whoever reports them."""

from datetime import UTC, datetime, timedelta

from plugins.deployments import SUCCEEDED, Deployment, rollbacks

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


def deployed(*revisions: str) -> list[Deployment]:
    return [
        Deployment(number, BEGAN + timedelta(hours=number), SUCCEEDED, revision, "ann", False)
        for number, revision in enumerate(revisions)
    ]


def test_what_was_out_before_something_else_is_a_rollback():
    found = deployed("a", "b", "b", "a")
    assert rollbacks(found) == {3: found[2]}


def test_a_deployment_of_an_unknown_revision_is_no_rollback():
    assert rollbacks(deployed("", "a", "")) == {}
