"""What is said of a fact that a push source may or may not have been sent."""

from types import SimpleNamespace
from typing import Any, cast

from scorecards.evidence.causes import CauseKind, Supply, absence


def _supply(**plugins: str) -> Supply:
    sources: dict[str, Any] = {
        name: SimpleNamespace(name=name, plugin=plugin, facts=frozenset()) for name, plugin in plugins.items()
    }
    return Supply({}, cast(Any, sources))


def test_a_fact_that_nobody_pushed_for_this_service_is_not_said_to_have_no_source() -> None:
    cause = absence(_supply(tools="push"), "oncall.schedule.id", ())
    assert cause.kind is CauseKind.NO_SOURCE
    assert cause.sentence.startswith(
        "Nobody pushes oncall.schedule.id for this service, and no other source supplies it"
    )
    assert "push oncall.schedule.id to tools" in cause.action


def test_without_a_push_source_no_source_supplies_it() -> None:
    cause = absence(_supply(metrics="prometheus"), "oncall.schedule.id", ())
    assert cause.sentence.startswith("No configured source supplies oncall.schedule.id")
