"""Conditional requests: an answer that came with an `ETag` is kept, and the source asked whether it still holds.

A `304 Not Modified` is small, and costs nothing of GitHub's rate limit.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlencode

import requests

LARGEST_KEPT = 256 * 1024
"""Bytes of a body; what is larger is asked anew, so that the memory of a source stays small."""

Parameters = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Kept:
    """An answer as it came the last time."""

    etag: str
    body: bytes
    following: str
    """Where its `Link` header says that the next page is; empty when it names none."""


class KeptAnswers(Protocol):
    """Where a source's answers are kept from one pull to the next."""

    def get(self, key: str) -> Kept | None:
        """Return the answer that was kept under a key."""

    def put(self, key: str, answer: Kept) -> None:
        """Keep an answer under a key, in the place of an earlier one."""


@dataclass
class InMemory:
    """Keeps answers for as long as the object lives: for pulls without a database."""

    answers: dict[str, Kept] = field(default_factory=dict)

    def get(self, key: str) -> Kept | None:
        """Return the answer that was kept under a key."""
        return self.answers.get(key)

    def put(self, key: str, answer: Kept) -> None:
        """Keep an answer under a key."""
        self.answers[key] = answer


def key_of(url: str, params: Parameters | None, headers: Mapping[str, str] | None) -> str:
    """Return the key of a question: its address, and the form of the answer that it asks for."""
    asked = f"{url}?{urlencode(params or (), doseq=True)} {(headers or {}).get('Accept', '')}"
    return hashlib.sha256(asked.encode()).hexdigest()


def worth_keeping(response: requests.Response, body: bytes) -> str:
    """Return the `ETag` of an answer that may be kept; empty for any other."""
    if response.status_code != requests.codes.ok or len(body) > LARGEST_KEPT:
        return ""
    if "no-store" in response.headers.get("Cache-Control", "").lower():
        return ""
    return response.headers.get("ETag", "")
