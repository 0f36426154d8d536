"""Request bodies that are torn, late or compressed, and addresses with a slash at their end."""

import gzip
import json
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Event

import pytest

from portal_backend.core.bodies import ARRIVAL_SECONDS, Bodies
from portal_backend.core.errors import InvalidInput, Unavailable

REFS = "/api/catalog/entities/by-refs"
BODY = json.dumps({"entityRefs": ["component:default/none"]}).encode()
PACKED = {"gzip": gzip.compress, "deflate": zlib.compress}


def send(client, data, encoding, path=REFS):
    return client.post(path, data=data, content_type="application/json", headers={"Content-Encoding": encoding})


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "GZIP", "identity"])
def test_a_compressed_body_means_what_it_holds(client, encoding):
    answer = send(client, PACKED.get(encoding.lower(), bytes)(BODY), encoding)
    assert (answer.status_code, answer.json) == (200, {"items": [None]})


def test_a_body_of_several_gzip_members_is_read_whole(client):
    assert send(client, gzip.compress(BODY[:10]) + gzip.compress(BODY[10:]), "gzip").json == {"items": [None]}


def test_a_body_of_very_many_gzip_members_is_refused_before_it_takes_long(client):
    answer = send(client, gzip.compress(b" ") * 50_000, "gzip")
    assert answer.status_code == 400
    assert "more than 100 parts" in answer.json["error"]["message"]


TORN = {"announced": {"CONTENT_LENGTH": "1000"}, "chunked": {"HTTP_TRANSFER_ENCODING": "chunked"}}


@pytest.mark.parametrize("announced", TORN.values(), ids=TORN)
def test_a_body_that_the_caller_broke_off_is_no_request(client, announced):
    """What is there may be JSON, or no body at all may be one of which nothing is required."""
    stream = {**announced, "wsgi.input": BytesIO(b""), "wsgi.input_terminated": True}
    answer = client.post("/api/engagements/plan", content_type="application/json", environ_overrides=stream)
    assert answer.status_code == 400
    assert "ends too soon" in answer.json["detail"]
    assert client.get("/api/engagements/plans").json["items"] == []


def test_a_chunked_body_is_read_whole(client):
    stream = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": BytesIO(BODY), "wsgi.input_terminated": True}
    assert client.post(REFS, content_type="application/json", environ_overrides=stream).json == {"items": [None]}


class Silent:
    """A body that does not come before it is told to."""

    def __init__(self) -> None:
        self.asked, self.told = Event(), Event()

    def read(self, size: int = -1) -> bytes:
        self.asked.set()
        self.told.wait(10)
        return b""


def test_a_process_is_stuck_once_as_many_as_may_wait_too_long_for_their_bodies(monkeypatch):
    monkeypatch.setattr("portal_backend.core.bodies.MOST_WAITING", 1)
    bodies, stream = Bodies(), Silent()
    environ = {"CONTENT_LENGTH": "9", "wsgi.input": stream, "wsgi.input_terminated": True}
    waiting = ThreadPoolExecutor(1).submit(bodies.take, environ, None)
    assert stream.asked.wait(10)
    now = time.monotonic()
    assert not bodies.all_stuck(now)
    assert bodies.all_stuck(now + ARRIVAL_SECONDS + 1)
    with pytest.raises(Unavailable, match="again later"):
        bodies.take({"CONTENT_LENGTH": "2", "wsgi.input": BytesIO(b"{}")}, None)
    stream.told.set()
    assert isinstance(waiting.exception(10), InvalidInput)
    assert not bodies.all_stuck(now + ARRIVAL_SECONDS + 1)
    assert bodies.take({"CONTENT_LENGTH": "2", "wsgi.input": BytesIO(b"{}")}, None) == b"{}"


DAMAGED = {"plain": BODY, "torn head": b"\x1f\x8b", "torn": gzip.compress(BODY)[:-9], "deflated": zlib.compress(BODY)}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_body_is_a_400(client, data):
    answer = send(client, data, "gzip")
    assert (answer.status_code, answer.json["error"]["name"]) == (400, "InputError")
    assert "cannot be inflated" in answer.json["error"]["message"]


def test_another_encoding_is_a_415_that_names_those_that_are_taken(client):
    answer = send(client, BODY, "br")
    assert answer.status_code == 415
    assert "gzip or deflate" in answer.json["error"]["message"]


def test_a_body_that_swells_is_a_413(client):
    answer = send(client, gzip.compress(b" " * 50_000_000), "gzip")
    assert (answer.status_code, answer.json["error"]["name"]) == (413, "PayloadTooLargeError")


@pytest.mark.parametrize("path", ["/api/catalog/entities/", "/api/catalog/entity-facets/?facet=kind", "/api/services/"])
def test_a_slash_at_the_end_of_an_address_changes_nothing(client, path):
    assert client.get(path).data == client.get(path.replace("/?", "?").removesuffix("/")).data
    assert client.get(path).status_code == 200


def test_a_post_with_a_slash_at_the_end_is_answered_and_not_redirected(client):
    assert client.post(f"{REFS}/", data=BODY, content_type="application/json").status_code == 200


def test_the_pages_keep_the_address_that_their_links_need(client):
    assert client.get("/docs").status_code == 308
