"""Objects found by their labels without a look at every one of them, and selectors by what they select. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from plugins.connectors.kubernetes.selectors import Labels, Selector

Found = TypeVar("Found")


class Labelled(Generic[Found]):
    """Objects that selectors choose from: only those are looked at that have a label which the selector names."""

    def __init__(self, objects: Iterable[tuple[Labels, Found]]) -> None:
        """Take the objects, each with its labels; their order is kept."""
        self._objects = list(objects)
        self._by_label: dict[tuple[str, str], list[int]] = {}
        for number, (labels, _) in enumerate(self._objects):
            for label in labels.items():
                self._by_label.setdefault(label, []).append(number)

    def selected(self, selects: Selector) -> list[Found]:
        """Return the objects that a selector chooses."""
        candidates = (self._objects[number] for number in self._candidates(selects))
        return [found for labels, found in candidates if selects(labels)]

    def _candidates(self, selects: Selector) -> Iterable[int]:
        """Return the fewest among which everything selected is, in their order."""
        found: list[list[list[int]]] = [
            [self._by_label.get(pair, []) for pair in dict.fromkeys(pairs)] for pairs in selects.pairs()
        ]
        if not found:
            return range(len(self._objects))
        fewest = min(found, key=lambda lists: sum(map(len, lists)))
        return fewest[0] if len(fewest) == 1 else sorted(number for numbers in fewest for number in numbers)


class Selectors:
    """Selectors of which any may choose an object: only those are tried that name a label of it, or none at all."""

    def __init__(self, selectors: Iterable[Selector]) -> None:
        """Take the selectors."""
        self._by_label: dict[tuple[str, str], list[Selector]] = {}
        self._others: list[Selector] = []
        taken = list(selectors)
        common = Counter(pair for selector in taken for pairs in selector.pairs() for pair in pairs)
        for selector in taken:
            rarest = min(selector.pairs(), key=lambda pairs: sum(common[pair] for pair in pairs), default=None)
            if rarest is None:
                self._others.append(selector)
            for pair in dict.fromkeys(rarest or ()):
                self._by_label.setdefault(pair, []).append(selector)

    def any_selects(self, labels: Labels) -> bool:
        """Say whether one of them chooses an object with these labels."""
        named = (selector for label in labels.items() for selector in self._by_label.get(label, ()))
        return any(selects(labels) for selects in named) or any(selects(labels) for selects in self._others)


def in_namespaces(objects: Iterable[tuple[str, Labels, Found]]) -> Mapping[str, Labelled[Found]]:
    """Return objects by their namespace; each comes as namespace, labels and what is to be found."""
    grouped: dict[str, list[tuple[Labels, Found]]] = {}
    for namespace, labels, found in objects:
        grouped.setdefault(namespace, []).append((labels, found))
    return {namespace: Labelled(own) for namespace, own in grouped.items()}
