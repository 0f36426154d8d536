"""Compressed request bodies, and addresses with a slash at their end."""

import gzip
import json
import zlib

import pytest

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
