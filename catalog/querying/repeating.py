"""Requests that come again: their answers are sent as they are, as long as nothing that they show is written."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from flask import Response, request

from catalog.querying.list_sql import Shown
from catalog.querying.remembering import answers
from catalog.versions import Version, current_version
from portal_backend.core.http import entity_tag, json_bytes
from portal_backend.core.quick_reading import Reader, quick_reading
from portal_backend.core.remembering import LARGEST_ANSWER, OVERHEAD

LONGEST_QUESTION = 4_096
"""Bytes of a query string or a body whose answer is kept."""


class Signed(Protocol):
    """What was read of the entities that a list shows."""

    @property
    def signature(self) -> str | None:
        """What differs whenever the list does; None where no etags were read."""


Found = TypeVar("Found", bound=Signed)


class Written(NamedTuple):
    """An answer, and the signature of what it shows, where that was read."""

    response: Response
    signature: str | None


class Answer(NamedTuple):
    """What was sent."""

    body: bytes
    etag: str
    link: str | None
    version: Version
    """At which it was last found to hold."""
    signature: str | None


Write = Callable[[Reader, Version | None, Shown], Written]
"""Answers a question anew, from documents, or from documents and etags."""
Sign = Callable[[Reader, Version | None], str | None]
"""Reads the signature alone."""


def remembered(question: str, words: bytes, write: Callable[[Reader, Version | None], Response]) -> Response:
    """Answer a question, put in these words, as it was answered at this version of the catalog, or anew."""
    return _remembered(question, words, lambda reader, version, _: Written(write(reader, version), None))


def remembered_list(
    question: str,
    words: bytes,
    read: Callable[[Reader, Version | None, Shown], Found],
    respond: Callable[[Found], Response],
) -> Response:
    """Answer a question for entities like `remembered`, but sent as it is too if a write changed none of them.

    Their etags tell: an etag is a digest of all that is in an entity, and to read those of a page costs less than to
    read, join and digest its documents. They are not read for a question that comes once.
    """

    def write(reader: Reader, version: Version | None, shown: Shown) -> Written:
        found = read(reader, version, shown)
        return Written(respond(found), found.signature)

    return _remembered(question, words, write, lambda reader, version: read(reader, version, Shown.ETAG).signature)


def _remembered(question: str, words: bytes, write: Write, sign: Sign | None = None) -> Response:
    with quick_reading() as reader:
        version = current_version(reader)
        if version is None or len(words) > LONGEST_QUESTION:
            return write(reader, version, Shown.DOCUMENT).response
        key = (version.lineage, question, words)
        old: Answer | None = answers.get(key)
        if old and old.version == version:
            return _response(old)
        if old and sign and old.signature is not None and old.signature == sign(reader, version):
            answer = old._replace(version=version)
        else:
            response, signature = write(reader, version, Shown.BOTH if old else Shown.DOCUMENT)
            if response.direct_passthrough:
                return response
            body = response.get_data()
            answer = Answer(body, entity_tag(body), response.headers.get("Link"), version, signature)
        if len(answer.body) <= LARGEST_ANSWER:
            answers.keep(key, answer, len(answer.body) + len(words) + len(answer.signature or "") + OVERHEAD)
    return _response(answer)


def _response(answer: Answer) -> Response:
    response = json_bytes(answer.body)
    if answer.link:
        response.headers["Link"] = answer.link
    if request.method != "POST":
        response.headers["ETag"] = answer.etag
    return response
