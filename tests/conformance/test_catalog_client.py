"""Backstage's published catalog client, unchanged, against our server: every method, what works and what is refused."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from catalog import settings
from catalog.places.hosts import AllowedHost
from catalog.places.scm import WELL_KNOWN
from portal_backend import catalog_refresh
from tests.catalog.samples import component, files
from tests.web_servers import serving, serving_files

NESTED = """apiVersion: backstage.io/v1alpha1
kind: Location
metadata: {name: nested}
spec: {targets: [./components.yaml]}
"""
GROUP = "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: g}\nspec: {type: team, children: []}\n"


def library(number: int) -> str:
    tags = "[even, many]" if number % 2 == 0 else "[many]"
    title = "\n  title: Payments" if number == 7 else ""
    return component(
        f"c-{number:02}",
        type_="library",
        owner="team-b" if number % 2 else "team-a",
        metadata=f"  tags: {tags}{title}\n",
        spec="  dependsOn: [component:c-06]\n" if number == 7 else "",
    )


class QuietRequests(WSGIRequestHandler):
    def log_request(self, *_):
        pass


@pytest.fixture
def web(tmp_path):
    """The address of a server with catalog files."""
    files(
        tmp_path,
        all=NESTED,
        components="---\n".join([*map(library, range(25)), component("extra", owner="team-b")]),
        other="---\n".join([library(7), component("only-other")]),
        broken="a: [b\n",
        invalid=component("bad", spec="  system: 5\n"),
        group=GROUP,
    )
    with serving_files(tmp_path) as address:
        yield address


@contextmanager
def reading_what_is_due(app) -> Iterator[None]:
    """Do what a worker does: read the locations whose time has come."""
    stopped = threading.Event()

    def work():
        while not stopped.wait(0.05):
            with app.app_context():
                catalog_refresh.read_locations(lambda _: None, only_due=True)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stopped.set()
    thread.join()


@pytest.fixture
def answers(clients, app, web, monkeypatch):
    urls = settings.url_policy((AllowedHost("127.0.0.1:*"),), WELL_KNOWN)
    monkeypatch.setitem(app.extensions, settings.EXTENSION, settings.CatalogSettings(urls=urls))
    with (
        serving(make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietRequests)) as address,
        reading_what_is_due(app),
    ):
        done = subprocess.run(
            ["node", "catalog_client.cjs", address, web],
            cwd=clients,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_published_client_works_unchanged(answers):
    failed = {name: trouble for name, trouble in answers["outcomes"].items() if trouble}
    assert failed == {}, "\n".join(f"{name}: {trouble}" for name, trouble in failed.items())
    assert answers["uncalled"] == []
    assert len(answers["outcomes"]) > 20
