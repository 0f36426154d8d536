"""A worker that is killed in the middle of judging: the next one reads on at once, and judges only what is left."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from portal_backend.judgement import BATCH
from tests.e2e.installation import Installation, kill, wait_until

SERVICE = """---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: {name}}}
spec: {{type: service, lifecycle: production, owner: shop}}
"""
COUNT = 2 * BATCH + 100
HELD_UP = 7
"""The key of a lock that holds up whoever judges the last service."""
HOLD_UP = f"""
CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql
AS 'BEGIN PERFORM pg_advisory_xact_lock({HELD_UP}); RETURN NEW; END';
CREATE TRIGGER hold_up BEFORE INSERT ON scorecard FOR EACH ROW
WHEN (NEW.entity_ref = 'component:default/s-{COUNT - 1:04}') EXECUTE FUNCTION hold_up()
"""
CONFIG = """
catalog: {locations: [{type: file, target: files}], every: 10s}
sources: []
"""


@pytest.fixture
def installation(tmp_path: Path, own_postgresql_database: str) -> Installation:
    (tmp_path / "files").mkdir()
    documents = [SERVICE.format(name=f"s-{number:04}") for number in range(COUNT)]
    (tmp_path / "files" / "many.yaml").write_text("".join(documents))
    made = Installation(tmp_path, CONFIG, own_postgresql_database)
    made.run("db", "upgrade")
    return made


def test_files_are_read_at_once_and_what_was_judged_is_not_judged_again(installation, own_postgresql_database):
    engine = create_engine(own_postgresql_database, isolation_level="AUTOCOMMIT")
    with engine.connect() as ours:

        def judged() -> dict[str, object]:
            return dict(ours.execute(text("SELECT entity_ref, evaluated_at FROM scorecard")).all())

        ours.execute(text(HOLD_UP))
        ours.execute(text(f"SELECT pg_advisory_lock({HELD_UP})"))
        with installation.started("worker", "--beat") as worker:
            wait_until(lambda: len(judged()) == 2 * BATCH, 120)
            kill(worker)
        before = judged()
        ours.execute(text(f"SELECT pg_advisory_unlock({HELD_UP})"))
        ours.execute(text("DROP TRIGGER hold_up ON scorecard"))
        (installation.folder / "files" / "one.yaml").write_text(SERVICE.format(name="one"))
        with installation.started("worker", "--beat"):
            wait_until(lambda: len(judged()) == COUNT + 1, 90)
        after = judged()
    engine.dispose()
    assert len(before) == 2 * BATCH
    assert "component:default/one" in after
    assert {ref: after[ref] for ref in before} == before
