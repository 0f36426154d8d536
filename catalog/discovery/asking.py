"""Lists and GraphQL questions to a host, in pages and batches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from catalog.places.exchange import TOTAL_SECONDS, Answer, Limits, Question
from catalog.places.faults import Unreadable
from catalog.places.hosts import UrlPolicy
from catalog.places.scm import Integration
from catalog.places.trees import ask_json, next_page
from plugins.transport.deadline import Deadline

MAX_PAGES = 500
"""Of repositories, a hundred each."""
MAX_SECONDS = 240.0
"""For all questions of one run."""

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Host:
    """A host that is asked, within limits."""

    integration: Integration
    urls: UrlPolicy
    deadline: Deadline = field(default_factory=lambda: Deadline(MAX_SECONDS))

    def entries(self, path: str) -> Iterator[Entry]:
        """Yield the entries of all pages of a list below the API; raises Unreadable."""
        url: str | None = f"{self.integration.api_url}/{path}"
        for _ in range(MAX_PAGES):
            if url is None:
                return
            page, answer = self._ask(Question(url, self.integration.headers()))
            if not isinstance(page, list) or not all(isinstance(entry, dict) for entry in page):
                raise Unreadable(f"{url} answers no list; check api_url under catalog.integrations")
            yield from page
            url = next_page(answer)
        raise Unreadable(f"{self.integration.host} lists more than {MAX_PAGES * 100} repositories; narrow the owner")

    def graphql(self, url: str, query: str, variables: Mapping[str, Any], name: str) -> Sequence[Any]:
        """Return the nodes that a question names; raises Unreadable, also where only a part could be answered."""
        question = Question(url, self.integration.headers(), {"query": query, "variables": dict(variables)})
        answer, _ = self._ask(question)
        errors = answer.get("errors") if isinstance(answer, dict) else None
        if errors:
            first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {}
            raise Unreadable(
                f"{url} could not answer the whole question: {first.get('message', 'it does not say why')}"
            )
        data = answer.get("data") if isinstance(answer, dict) else None
        found: Any = data.get(name) if isinstance(data, dict) else None
        nodes = found.get("nodes") if isinstance(found, dict) else found
        if not isinstance(nodes, list):
            raise Unreadable(f"{url} answers no {name}")
        return nodes

    def _ask(self, question: Question) -> tuple[Any, Answer]:
        left = self.deadline.remaining()
        if left <= 0:
            raise Unreadable(f"{self.integration.host} was not asked whole within {MAX_SECONDS:g} s; narrow the owner")
        return ask_json(question, self.urls, Limits(total_seconds=min(TOTAL_SECONDS, left)))


def text(entry: Entry, name: str) -> str:
    """Return a field that every entry has; raises Unreadable where it has not."""
    value = entry.get(name)
    if not isinstance(value, str | int) or value == "":
        raise Unreadable(f"An entry of the list of repositories has no {name}")
    return str(value)
