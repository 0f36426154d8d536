"""Ways in which answers go wrong."""

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import orjson

from plugins.conformance.case import Ending, Question, Reply
from plugins.conformance.serving import Injection

HUGE_BYTES = 200 * 1024 * 1024
HTML = {"Content-Type": "text/html"}
PAGE = b"<!DOCTYPE html><html><body>Please sign in</body></html>"
SHAPES = (b"null", b"42", b'"text"', b"[]", b"{}", b"[1, [2]]", b'{"unexpected": true}', b'{"items": {"a": 1}}', b"")
NO_ANSWERS = (b"42", b'"text"', b"")
"""Those that no system means."""


def from_then_on(position: int, spoilt: Callable[[Question], Reply]) -> Injection:
    """Give good answers up to a request, and spoilt ones from it on."""
    return lambda question, good: spoilt(question) if question.number >= position else good()


def only_at(position: int, spoilt: Callable[[Question], Reply]) -> Injection:
    """Spoil the answer to one request."""
    return lambda question, good: spoilt(question) if question.number == position else good()


def ends(ending: Ending) -> Callable[[Question, Callable[[], Reply]], Reply]:
    """Break a good answer off."""
    return lambda _question, good: replace(good(), ending=ending)


def at(position: int, spoil: Injection, last: int | None = None) -> Injection:
    """Spoil the good answers from one request on, up to `last` where that is given."""

    def inject(question: Question, good: Callable[[], Reply]) -> Reply:
        hit = question.number >= position and (last is None or question.number <= last)
        return spoil(question, good) if hit else good()

    return inject


def refusal(status: int, **headers: str) -> Callable[[Question], Reply]:
    """Answer with a status, and repeat the request's headers: a connector must not repeat them to anybody."""

    def reply(question: Question) -> Reply:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        told = {"message": f"refused: {dict(question.headers)}", "error": f"refused: {dict(question.headers)}"}
        return Reply(orjson.dumps(told), status, {"Content-Type": "application/json", **given})

    return reply


def tagged(question: Question, good: Callable[[], Reply]) -> Reply:
    """Give good answers with an ETag, and 304 to whoever has the answer already."""
    reply = good()
    if reply.status != 200 or not isinstance(reply.body, bytes):
        return reply
    tag = f'"{zlib.crc32(reply.body):08x}"'
    asked = next((value for name, value in question.headers.items() if name.lower() == "if-none-match"), "")
    if asked == tag:
        return Reply(b"", 304, {"ETag": tag})
    return replace(reply, headers={**reply.headers, "ETag": tag})


def web_page(question: Question) -> Reply:
    """Answer with a sign-in page that repeats the credentials."""
    return Reply(PAGE + str(dict(question.headers)).encode(), 200, HTML)


def shaped(body: bytes) -> Callable[[Question], Reply]:
    """Answer with some other JSON."""
    return lambda _question: Reply(body)


def huge(_question: Question) -> Reply:
    """Answer with 200 MB of JSON."""
    return Reply(_blanks(), 200, {"Content-Type": "application/json", "Content-Length": str(HUGE_BYTES)})


def packed(_question: Question) -> Reply:
    """Answer with as much, packed into little."""
    return Reply(_packed(), 200, {"Content-Type": "application/json", "Content-Encoding": "gzip"})


def _blanks() -> Iterator[bytes]:
    piece = b"[" + b" " * (256 * 1024 - 1)
    for _ in range(HUGE_BYTES // len(piece)):
        yield piece


@cache
def _packed() -> bytes:
    packer = zlib.compressobj(wbits=31)
    return b"".join([*(packer.compress(piece) for piece in _blanks()), packer.flush()])


def rewritten(change: Callable[[Any], Any]) -> Injection:
    """Change the JSON of each good answer."""

    def inject(_question: Question, good: Callable[[], Reply]) -> Reply:
        reply = good()
        if reply.status >= 300 or not isinstance(reply.body, bytes):
            return reply
        try:
            document = orjson.loads(reply.body)
        except orjson.JSONDecodeError:
            return reply
        return replace(reply, body=orjson.dumps(change(document)))

    return inject


def each_list(document: Any, change: Callable[[list[Any]], list[Any]]) -> Any:
    """Change the outermost lists of objects in a document: pages of entries, not what stands within one."""
    if isinstance(document, list):
        return change(document) if document and all(isinstance(one, dict) for one in document) else document
    if isinstance(document, Mapping):
        return {key: each_list(value, change) for key, value in document.items()}
    return document


def emptied(document: Any) -> Any:
    """Leave nothing in the lists."""
    return each_list(document, lambda _entries: [])


def doubled(document: Any) -> Any:
    """Let each entry come twice, as when something moves from one page to the next."""
    return each_list(document, lambda entries: [one for entry in entries for one in (entry, entry)])


def turned_round(document: Any) -> Any:
    """Let the entries come in the opposite order."""
    return each_list(document, lambda entries: entries[::-1])


def with_strangers(document: Any) -> Any:
    """Add entries that are none: each was seen from some system."""
    return each_list(document, lambda entries: [*entries, {"nonsense": True}, dict.fromkeys(entries[0]), {}])
