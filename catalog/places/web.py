"""Asking web servers: each address checked and pinned, bounded in size and time, no token for a stranger."""

from catalog.places.exchange import Answer, Limits, Question
from catalog.places.hosts import UrlPolicy


def ask(question: Question, policy: UrlPolicy, limits: Limits) -> Answer:
    """Return the answer, redirects followed one by one: each new address must be allowed like the first.

    Raises Unreadable where the address is refused, nobody answers, or the answer is too large or too slow.
    """
    from catalog.places import connections  # with the HTTP library, which a check of files does without

    return connections.ask(question, policy, limits)
