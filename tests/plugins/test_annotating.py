"""A source that answers while no service names anything in it: a check says so, and what to write."""

import pytest

from plugins import conformance, pulling, registry
from plugins.conformance.serving import serving
from plugins.contract import FailureKind, PullContext, PullFailed, Target
from plugins.http_client import SourceClient
from portal_backend.core.clock import now
from portal_backend.core.config import Secret, SourceAuth
from tests.plugins.our_cases import CASES

UNTIED = [Target("component:default/somebody", "nobody-knows-it")]
NEED_ANNOTATIONS = ("argocd", "buildbot", "github", "gitlab", "grafana", "kubernetes", "pagerduty")


def check(case: conformance.Case, url: str, targets: list[Target], secret: Secret) -> str:
    auth = SourceAuth(header=case.auth_header, value=secret) if case.auth_header else SourceAuth(token=secret)
    options = case.connector.options_schema().load(dict(case.options))
    with SourceClient(url, auth) as client:
        context = PullContext("source", client, options, targets, case.now or now())
        return pulling.check(case.connector, context)


@pytest.mark.parametrize("name", NEED_ANNOTATIONS)
def test_without_any_annotation_the_check_names_them_with_examples(name: str, tmp_path) -> None:
    needed = [spec for spec in registry.connector(name).annotations if spec.needed]
    with CASES[name]() as case, serving(case) as front:
        (tmp_path / "secret").write_text(case.secret)
        secret = Secret(f"file:{tmp_path}/secret")
        with pytest.raises(PullFailed) as caught:
            check(case, front.url, UNTIED, secret)
        empty = check(case, front.url, [], secret)
    assert needed
    assert caught.value.kind is FailureKind.MISCONFIGURED
    assert "no service of the catalog carries" in caught.value.message
    for spec in needed:
        assert f"`{spec.key}: {spec.example}`" in caught.value.message
    assert "the catalog holds no services yet" in empty


@pytest.mark.parametrize("name", sorted(registry.connectors()))
def test_each_annotation_has_an_example(name: str) -> None:
    assert [spec.key for spec in registry.connector(name).annotations if not spec.example] == []
