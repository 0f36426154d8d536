"""Things in groups: a batch is one transaction, which is not to grow with the number of services."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def in_groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of `size`, the last of which may be shorter."""
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group
