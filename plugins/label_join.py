"""Joins the values of a label to services, in memory: for connectors to systems that speak in labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from plugins.contract import PullFault, Target


@dataclass
class Join:
    """Which service a label value stands for, and what was seen that stands for none."""

    refs: Mapping[str, Sequence[str]]
    """The services behind a label value; several only where annotations say so."""
    labels: tuple[str, ...]
    """The labels that may name the service, the most telling first."""
    faults: Sequence[PullFault]
    unmatched: set[str] = field(default_factory=set)

    def name(self, labels: Mapping[str, str]) -> str | None:
        """Return the value that names a service in a series' labels."""
        return next((labels[label] for label in self.labels if labels.get(label)), None)

    def find(self, labels: Mapping[str, str]) -> Sequence[str]:
        """Return the services that a series is about; a name that no service claims is remembered."""
        name = self.name(labels)
        if name is None:
            return ()
        refs = self.refs.get(name, ())
        if not refs:
            self.unmatched.add(name)
        return refs


def join(targets: Sequence[Target], annotation: str, labels: tuple[str, ...]) -> Join:
    """Index the services by the annotation's value, or else by their name; `labels` as in Join.

    A name that several services share by their name alone stands for none of them: whose series it is, nobody knows.
    """
    annotated: dict[str, list[str]] = {}
    named: dict[str, list[str]] = {}
    for target in targets:
        value = target.annotations.get(annotation, "").strip()
        index, key = (annotated, value) if value else (named, target.name)
        index.setdefault(key, []).append(target.ref)
    refs: dict[str, list[str]] = {}
    faults = []
    for name, claimants in named.items():
        if len(claimants) == 1:
            refs[name] = claimants
        elif name not in annotated:
            faults.append(
                PullFault(
                    f"service {name}",
                    f"{', '.join(sorted(claimants))} share this name; tell them apart by {annotation}",
                )
            )
    return Join({**refs, **annotated}, labels, faults)
