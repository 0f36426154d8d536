"""A source that is configured, in the database of the test."""

import pytest
from sqlalchemy.orm import Session

from plugins import sources
from tests.plugins.collecting import config


@pytest.fixture
def prod(session: Session) -> Session:
    sources.sync_sources(session, [config()])
    session.commit()
    return session
