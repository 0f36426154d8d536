"""What the tests of several connectors do with a pull."""

from datetime import datetime

from plugins.contract import Batch, Connector, FactValue, PullContext
from plugins.moments import rfc3339


def joined(connector: Connector, context: PullContext) -> Batch:
    """Pull to the end and return all that came as one batch, with the last cursor."""
    batches = list(connector.pull(context))
    return Batch(
        facts=[fact for batch in batches for fact in batch.facts],
        events=[event for batch in batches for event in batch.events],
        faults=[fault for batch in batches for fault in batch.faults],
        unmatched=[name for batch in batches for name in batch.unmatched],
        cursor=next((batch.cursor for batch in reversed(batches) if batch.cursor is not None), None),
    )


def told_of(batch: Batch, key: str, scope: str) -> tuple[FactValue | None, list[str]]:
    """Return the value of the one fact of a key, if there is one, and the faults of a scope."""
    found = [fact.value for fact in batch.facts if fact.key == key]
    return found[0] if found else None, [fault.message for fault in batch.faults if scope in fault.scope]


def ended(word: str, state: str, at: datetime) -> dict[str, object]:
    """A run of CI that came to its end: `word` is what the vendor calls its state."""
    return {"id": 1, word: state, "updated_at": rfc3339(at)}
