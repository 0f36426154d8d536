"""Asks a code host for the files of many repositories at once, and tells each repository's services what they hold."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from plugins.contract import Batch, Fact, FailureKind, PullContext, PullFailed, PullFault
from plugins.parts import Refused, fault
from plugins.repository_files.answering import answers
from plugins.repository_files.entries import Entry
from plugins.repository_files.seen import Seen, Wanted, first_wanted, folder_of, then_wanted

Ask = Callable[[Sequence[tuple[str, Wanted]]], Sequence[Seen]]
"""Asks one question for some repositories; the answers come in their order. Raises PullFailed."""

GATEWAY = frozenset({500, 502, 503, 504})
"""What a code host may answer to a question that takes it too long."""
SHOWN = 5
"""Facts that one fault names."""


@dataclass
class Files:
    """The files of the repositories whose turn it is."""

    entries: Sequence[Entry]
    folders: Mapping[str, Mapping[str, str]]
    """Where the services of each repository live, by their references."""
    ask: Ask
    most: int
    """Files and folders that one question may ask for; what was too much once is not asked for again."""
    _seen: dict[str, Seen] = field(default_factory=dict)
    _faults: dict[str, PullFault] = field(default_factory=dict)
    _answered: bool = False

    @classmethod
    def of(cls, context: PullContext, names: Mapping[str, Sequence[str]], ask: Ask, most: int) -> "Files":
        """Return the files that the option `files` of a source asks for; `names` holds each repository's services."""
        annotations = {target.ref: target.annotations for target in context.targets}
        folders = {
            name: {ref: folder_of(annotations.get(ref, {}), name) for ref in refs} for name, refs in names.items()
        }
        return cls(context.options["files"], folders, ask, most)

    def look(self, names: Sequence[str]) -> None:
        """Ask for the files of some repositories. Raises PullFailed where the next question would fail as well."""
        if not self.entries:
            return
        self._seen, self._faults = {}, {}
        self._ask_all([(name, first_wanted(self.entries, self._in(name))) for name in names])
        further = [(name, then_wanted(self.entries, self._in(name), self._seen[name])) for name in self._seen]
        self._ask_all([(name, wanted) for name, wanted in further if wanted])

    def try_one(self, name: str) -> None:
        """Ask for the files of one repository, as if a service lay in its root, if any are asked for.

        Raises PullFailed(permission) where they are kept from the token, PullFailed where nothing is answered.
        """
        if self.entries:
            (seen,) = self.ask([(name, first_wanted(self.entries, [""]))])
            if seen.hidden:
                raise PullFailed(FailureKind.PERMISSION, seen.hidden)

    def with_facts(self, batch: Batch, name: str, now: datetime) -> Batch:
        """Return what was read of a repository, and with it what its files hold."""
        if name in self._faults:
            return replace(batch, faults=[*batch.faults, self._faults[name]])
        seen = self._seen.get(name, Seen())
        if seen.hidden:
            return replace(batch, faults=[*batch.faults, Refused(f"{name}: files", seen.hidden)])
        facts = list(batch.facts)
        reasons: dict[str, list[str]] = {}
        for ref, folder in self.folders[name].items() if name in self._seen else ():
            told = answers(self.entries, folder, seen)
            facts += [Fact(ref, key, value, now) for key, value in told.values.items()]
            for key, reason in told.unknown.items():
                reasons.setdefault(reason, []).append(key)
        faults = [PullFault(f"{name}: {_listed(keys)}", reason) for reason, keys in reasons.items()]
        return replace(batch, facts=facts, faults=[*batch.faults, *faults])

    def _in(self, name: str) -> Sequence[str]:
        return list(self.folders[name].values())

    def _ask_all(self, wanted: Sequence[tuple[str, Wanted]]) -> None:
        for some in _batches(wanted, self.most):
            self._ask_some(some)

    def _ask_some(self, some: Sequence[tuple[str, Wanted]]) -> None:
        """Ask for some repositories at once; where the question is refused or too large, for half of them."""
        try:
            found = self.ask(some)
        except PullFailed as failure:
            if len(some) > 1 and _may_be_too_much(failure):
                half = len(some) // 2
                self.most = max(1, sum(len(wanted) for _, wanted in some) // 2)
                self._ask_some(some[:half])
                self._ask_some(some[half:])
                return
            for name, _ in some:
                self._faults[name] = self._fault(f"{name}: files", failure)
            return
        self._answered = True
        for (name, _), seen in zip(some, found, strict=True):
            self._seen.setdefault(name, Seen()).add(seen)

    def _fault(self, scope: str, failure: PullFailed) -> PullFault:
        """Return what a failure says of one repository; raises it where the next one would fail as well."""
        if self._answered and failure.status in GATEWAY:  # it answers, but this is too much for it
            return PullFault(scope, failure.message)
        return fault(scope, failure)


def _may_be_too_much(failure: PullFailed) -> bool:
    return failure.kind is FailureKind.BAD_ANSWER or failure.status in GATEWAY


def _batches(wanted: Sequence[tuple[str, Wanted]], most: int) -> Iterator[list[tuple[str, Wanted]]]:
    """Yield repositories whose files together are at most so many; one repository is never divided."""
    some: list[tuple[str, Wanted]] = []
    for name, one in wanted:
        if some and sum(len(other) for _, other in some) + len(one) > most:
            yield some
            some = []
        some.append((name, one))
    if some:
        yield some


def _listed(keys: Sequence[str]) -> str:
    names = list(dict.fromkeys(keys))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
