"""Connectors come in by entry points; a broken one harms nobody else."""

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from plugins import registry
from plugins.connectors.prometheus import CONNECTOR
from plugins.contract import Batch, Connector, FailureKind, PullContext, PullFailed, PullFault, Target
from plugins.http_client import SourceClient
from plugins.pulling import Progress, check, make_context, pull
from portal_backend.core.clock import now
from portal_backend.core.config import SourceConfig

GOOD = EntryPoint("prometheus", "plugins.connectors.prometheus:CONNECTOR", registry.GROUP)


class Careless(Connector):
    """A connector by somebody else: it raises what it likes, and says what it should not."""

    name = "careless"
    title = "Careless"

    def check(self, context: PullContext) -> str:
        raise KeyError("token=abcdef")

    def pull(self, context: PullContext) -> Any:
        yield Batch(cursor="1")
        if context.cursor == "fail":
            raise PullFailed(FailureKind.TIMEOUT, "GET http://u:hunter2@host failed", status=504)
        raise ValueError("no such field; Authorization: Bearer abcdefghijkl")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("no.such.module:X", "ModuleNotFoundError"),
        ("plugins.connectors.prometheus:NOTHING", "AttributeError"),
        ("plugins.contract:Target", "no instance"),
        ("plugins.connectors.prometheus:CONNECTOR", "its name must be other"),
    ],
)
def test_a_broken_connector_is_named_and_the_others_work(value: str, words: str) -> None:
    found, faults = registry.discover([EntryPoint("other", value, registry.GROUP), GOOD])
    assert found == {"prometheus": CONNECTOR}
    assert words in faults["other"]


def test_a_name_that_two_packages_supply_goes_to_the_first_and_is_reported() -> None:
    found, faults = registry.discover([GOOD, GOOD])
    assert found == {"prometheus": CONNECTOR}
    assert "two packages" in faults["prometheus"]


def test_our_own_connectors_are_found_by_the_same_door() -> None:
    assert registry.connectors()["prometheus"] is CONNECTOR
    assert registry.load_faults() == {}


def test_an_unknown_connector_is_a_misconfiguration_that_names_the_known_ones() -> None:
    with pytest.raises(PullFailed, match="prometheus") as caught:
        registry.connector("nagios")
    assert caught.value.kind is FailureKind.MISCONFIGURED


def context(cursor: str | None = None) -> PullContext:
    config = SourceConfig("x", "careless", "http://host")
    return make_context(config, SourceClient(config.url), [Target("component:default/a", "a")], now(), cursor=cursor)


def test_whatever_a_connector_raises_becomes_a_failed_pull_without_secrets() -> None:
    batches = pull(Careless(), context())
    assert next(batches).cursor == "1"
    with pytest.raises(PullFailed, match="ValueError: no such field") as caught:
        next(batches)
    assert caught.value.kind is FailureKind.BAD_ANSWER
    assert "abcdefghijkl" not in caught.value.message
    with pytest.raises(PullFailed) as caught:
        check(Careless(), context())
    assert "abcdef" not in caught.value.message


def test_a_foreign_failure_keeps_its_kind_and_loses_its_secrets() -> None:
    batches = pull(Careless(), context("fail"))
    next(batches)
    with pytest.raises(PullFailed) as caught:
        next(batches)
    assert (caught.value.kind, caught.value.status) == (FailureKind.TIMEOUT, 504)
    assert "hunter2" not in caught.value.message


def test_progress_counts_a_service_once_and_keeps_the_last_cursor() -> None:
    progress = Progress()
    progress.add(Batch(cursor="a", unmatched=["x"]), 1)
    progress.add(Batch(unmatched=["x", "y"]), 3)
    assert (progress.cursor, progress.requests, progress.unmatched) == ("a", 3, {"x", "y"})


def test_what_is_kept_of_faults_and_names_is_bounded_and_without_secrets() -> None:
    progress = Progress()
    faults = [PullFault("page\x00 1", "GET /x?token=abcdef " + "y" * 5000)] * 80
    progress.add(Batch(faults=faults, unmatched=["n\x00" + "x" * 5000]), 1)
    assert progress.faults == 80
    assert len(progress.fault_sample) == 50
    kept = progress.fault_sample[0]
    assert "\x00" not in kept.scope
    assert "abcdef" not in kept.message
    assert len(kept.message) <= 600
    assert [len(name) for name in progress.unmatched] == [200]
