"""Sources as tests of their runs configure them, and what a run brings."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from plugins.contract import Batch, Event, Fact, PullFault
from plugins.health import SourceHealth, health
from plugins.pulling import Progress
from portal_backend.core.config import SourceConfig

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
REF = "component:default/checkout"


def config(name: str = "prod", **values: object) -> SourceConfig:
    given = {"plugin": "prometheus", "url": "http://prometheus", "every": timedelta(minutes=5), **values}
    return SourceConfig(name, **given)  # type: ignore[arg-type]


def progress(facts: int = 2, cursor: str | None = None) -> Progress:
    found = Progress(targets=3)
    found.add(
        Batch(
            facts=[Fact(REF, f"fact.{number}", 1.0, NOW) for number in range(facts)],
            events=[Event(REF, "1", "alert.fired", NOW, "x")],
            faults=[PullFault("traffic.rps_now", "too slow")],
            unmatched=["legacy", "old"],
            cursor=cursor,
        ),
        requests=7,
    )
    return found


def state(session: Session, now: datetime = NOW, name: str = "prod") -> SourceHealth:
    session.expire_all()
    return health(session, now)[name]
