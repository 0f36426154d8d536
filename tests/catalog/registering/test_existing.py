"""`analyze-location` of repositories that we may look into: the catalog files that they have already."""

import pytest

from catalog import settings
from catalog.locations import register_location
from catalog.places.hosts import UrlPolicy
from catalog.places.repositories import find_repository
from catalog.places.scm import WELL_KNOWN
from portal_backend.core.clock import now
from tests.catalog.places.test_code_hosts import host, integration, page
from tests.catalog.samples import component

__all__ = ["host"]


@pytest.fixture
def analyze(client, app, host, monkeypatch):
    def ask(path: str = "acme/shop", token: str | None = "fake-token", **more):
        own = integration(host, token)
        policy = UrlPolicy((), own.trusted())
        known = settings.CatalogSettings(urls=policy, integrations=(own,))
        monkeypatch.setitem(app.extensions, settings.EXTENSION, known)
        body = {"location": {"type": "url", "target": f"{host.url}/{path}"}, **more}
        return client.post("/api/catalog/analyze-location", json=body)

    return ask


def test_the_catalog_files_of_a_repository_are_told_with_their_entities(analyze, host, session):
    files = {"catalog-info.yaml": component("a"), "deep/catalog-info.yaml": component("b") + "---\n" + component("c")}
    host.add("acme/shop", {**files, "other.yaml": component("d")})
    register_location(session, "url", page(host, "catalog-info.yaml"), now())
    session.commit()
    for path in ("acme/shop", "acme/shop.git", "acme/shop/-/tree/main/deep", "acme/shop/tree/main"):
        answer = analyze(path)
        assert (answer.status_code, answer.json["generateEntities"]) == (200, []), answer.json
        assert [
            (one["location"]["target"], one["isRegistered"], one["entity"]["metadata"]["name"])
            for one in answer.json["existingEntityFiles"]
        ] == [
            (page(host, "catalog-info.yaml"), True, "a"),
            (page(host, "deep/catalog-info.yaml"), False, "b"),
            (page(host, "deep/catalog-info.yaml"), False, "c"),
        ]
    (other,) = analyze(catalogFilename="other.yaml").json["existingEntityFiles"]
    assert other["entity"]["metadata"]["name"] == "d"


def test_without_a_token_a_file_or_a_repository_a_descriptor_is_suggested(analyze, host):
    host.add("acme/shop", {"README.md": ""})
    for answer in (analyze(), analyze(catalogFilename="../x"), analyze("acme/gone"), analyze(token=None)):
        assert (answer.status_code, answer.json["existingEntityFiles"]) == (200, [])
        assert len(answer.json["generateEntities"]) == 1
    asked = len(host.requests)
    analyze(token=None)
    assert len(host.requests) == asked


def test_a_catalog_file_that_cannot_be_taken_is_told_instead_of_suggesting_another(analyze, host):
    host.add("acme/shop", {"catalog-info.yaml": component("5")})
    answer = analyze()
    assert (answer.status_code, "metadata.name" in answer.json["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("target", "project"),
    [
        ("https://github.com/acme/shop/issues", "acme/shop"),
        ("https://gitlab.com/a/b/c/-/blob/main/x", "a/b/c"),
        ("https://github.com/acme", None),
        ("https://example.com/a/b", None),
        ("git@github.com:a/b", None),
    ],
)
def test_an_address_names_a_repository(target, project):
    found = find_repository(target, WELL_KNOWN)
    assert (found and found.project) == project
