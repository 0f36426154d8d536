"""Requests that come again: their answers are sent as they are, as long as the catalog stays at its version."""

from collections.abc import Callable
from typing import NamedTuple

from flask import Response, request

from catalog.querying.remembering import answers
from catalog.versions import Version, current_version
from portal_backend.core.http import entity_tag, json_bytes
from portal_backend.core.quick_reading import Reader, quick_reading
from portal_backend.core.remembering import LARGEST_ANSWER, OVERHEAD

LONGEST_QUESTION = 4_096
"""Bytes of a query string or a body whose answer is kept."""


class Answer(NamedTuple):
    """What was sent."""

    body: bytes
    etag: str
    link: str | None


def remembered(question: str, words: bytes, write: Callable[[Reader, Version | None], Response]) -> Response:
    """Answer a question, put in these words, as it was answered at this version of the catalog, or anew."""
    with quick_reading() as reader:
        version = current_version(reader)
        if version is None or len(words) > LONGEST_QUESTION:
            return write(reader, version)
        key = (version, question, words)
        found: Answer | None = answers.get(key)
        if found is None:
            response = write(reader, version)
            if response.direct_passthrough:
                return response
            body = response.get_data()
            found = Answer(body, entity_tag(body), response.headers.get("Link"))
            if len(body) <= LARGEST_ANSWER:
                answers.keep(key, found, len(body) + len(words) + OVERHEAD)
    return _response(found)


def _response(answer: Answer) -> Response:
    response = json_bytes(answer.body)
    if answer.link:
        response.headers["Link"] = answer.link
    if request.method != "POST":
        response.headers["ETag"] = answer.etag
    return response
