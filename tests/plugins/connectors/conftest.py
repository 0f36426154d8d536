"""Server doubles that tests of several files use."""

from collections.abc import Iterator

import pytest

from tests.conftest import shared
from tests.fakes.argocd import ArgoCd
from tests.fakes.github import GitHub
from tests.fakes.gitlab import GitLab
from tests.plugins.connectors.code_host import Host


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


@pytest.fixture
def gitlab(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLab]:
    monkeypatch.setenv("GITLAB_TOKEN", "fake-token")
    fake = GitLab(shared("specs", "gitlab.openapi.json"))
    with fake.running():
        yield fake
    assert fake.problems == []


@pytest.fixture(params=["github", "gitlab"])
def host(request: pytest.FixtureRequest) -> Host:
    return Host(request.param, request.getfixturevalue(request.param))
