"""Server doubles that tests of several files use."""

from collections.abc import Iterator

import pytest

from tests.conftest import shared
from tests.fakes.argocd import ArgoCd


@pytest.fixture
def argocd(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArgoCd]:
    monkeypatch.setenv("ARGOCD_TOKEN", "fake-token")
    fake = ArgoCd(shared("specs", "argocd.openapi.json"))
    with fake.running():
        yield fake
    assert fake.problems == []
