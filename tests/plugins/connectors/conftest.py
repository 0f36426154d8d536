"""Server doubles that tests of several files use."""

from collections.abc import Iterator

import pytest

from tests.conftest import shared
from tests.fakes.argocd import ArgoCd
from tests.fakes.github import GitHub


@pytest.fixture
def argocd(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArgoCd]:
    monkeypatch.setenv("ARGOCD_TOKEN", "fake-token")
    fake = ArgoCd(shared("specs", "argocd.openapi.json"))
    with fake.running():
        yield fake
    assert fake.problems == []


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    monkeypatch.setenv("GITHUB_TOKEN", "fake-token")
    fake = GitHub(shared("specs", "github.openapi.json"))
    with fake.running():
        yield fake
    assert fake.problems == []
