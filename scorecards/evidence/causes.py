"""Why a fact is unknown, and who can mend it: told from the sources' health. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol

from scorecards.checks.vocabulary import PORTAL_RECORDS, SYSTEMS
from scorecards.evidence.values import moment, span

ENTITY = "entity."
"""Before a path into the catalog's entity, where a rule looks at one."""
CATALOG_SOURCE = "catalog"
"""The source name of facts that the catalog itself states."""
PUSH = "push"
"""The plugin of sources that declare no facts: whatever is posted to them, of some services and not of others."""


class Spec(Protocol):
    """What judging needs of a declared fact (plugins.contract.FactSpec has it)."""

    @property
    def key(self) -> str:
        """Its name, `slo.availability.target`."""

    @property
    def type(self) -> str:
        """A FactType's word."""

    @property
    def unit(self) -> str:
        """`ratio`, `seconds`, ... or empty."""

    @property
    def description(self) -> str:
        """What it measures."""

    @property
    def max_age(self) -> timedelta:
        """For how long an observation may be trusted."""


class SourceState(Protocol):
    """What judging needs of a source's health (plugins.sources.SourceHealth has it)."""

    @property
    def name(self) -> str:
        """Its configured name."""

    @property
    def plugin(self) -> str:
        """The connector that it uses."""

    @property
    def simulated(self) -> bool:
        """Whether it is no real system."""

    @property
    def state(self) -> str:
        """`ok`, `failing`, `running`, `interrupted`, `overdue` or `never_ran`."""

    @property
    def overdue_at(self) -> datetime | None:
        """From when on its next run is long due, unless it ends before."""

    @property
    def is_overdue(self) -> bool:
        """Whether its next run is long due, also while that is under way at last."""

    @property
    def last_success_at(self) -> datetime | None:
        """When a run last went well."""

    @property
    def last_attempt_at(self) -> datetime | None:
        """When a run last began."""

    @property
    def failure_kind(self) -> str | None:
        """What kind of failure the last finished run met, if it failed."""

    @property
    def failure_message(self) -> str | None:
        """What it said."""

    @property
    def faults(self) -> int | None:
        """Parts of its last good pull that failed while the rest went on."""

    @property
    def fault_sample(self) -> Sequence[Mapping[str, Any]]:
        """Some of them, each with `scope` and `message`."""

    @property
    def facts(self) -> frozenset[str]:
        """The keys that its connector declares."""


@dataclass(frozen=True)
class Offer:
    """What a plugin that is installed could supply, whether or not a source uses it."""

    plugin: str
    max_ages: Mapping[str, timedelta]
    """For how long an observation of each of its facts may be trusted."""
    annotations: Sequence[tuple[str, str]] = ()
    """Entity annotations that tie a service to the system, each with what it means."""


class CauseKind(StrEnum):
    """Why a fact cannot be judged by."""

    NO_SOURCE = "no_source"
    NEVER_RAN = "never_ran"
    SOURCE_FAILING = "source_failing"
    INTERRUPTED = "interrupted"
    OVERDUE = "overdue"
    NOT_OBSERVED = "not_observed"
    STALE = "stale"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    TOO_FEW = "too_few"
    NOT_ATTESTED = "not_attested"


class Party(StrEnum):
    """Who can mend it."""

    TEAM = "service_team"
    OPERATORS = "portal_operators"


@dataclass(frozen=True)
class Cause:
    """Why one fact is unknown, and what to do about it."""

    kind: CauseKind
    fact: str
    sentence: str
    action: str
    party: Party
    source: str | None = None
    because: str = ""
    """What keeps the source from reporting: the same for all facts of a dead source."""

    @property
    def whole_sentence(self) -> str:
        """The sentence with its reason."""
        return f"{self.sentence}. {self.because}" if self.because else self.sentence


@dataclass(frozen=True)
class Supply:
    """Who supplies which fact: the configured sources in their order of precedence, and the plugins that could."""

    specs: Mapping[str, Spec]
    sources: Mapping[str, SourceState]
    """By name, in the order of portal.yaml: among fresh observations the first source counts."""
    offers: Mapping[str, Offer] = field(default_factory=dict)
    """By plugin name."""

    @cached_property
    def ranks(self) -> Mapping[str, int]:
        """The place of each source in the order of precedence."""
        return {name: position for position, name in enumerate(self.sources)}

    def suppliers(self, key: str) -> list[SourceState]:
        """Return the configured sources that declare the fact, in order of precedence."""
        return [state for state in self.sources.values() if key in state.facts]

    def max_age(self, source: str, key: str) -> timedelta:
        """Return for how long this source's observation of the fact may be trusted."""
        state = self.sources.get(source)
        offer = self.offers.get(state.plugin) if state else None
        if offer and key in offer.max_ages:
            return offer.max_ages[key]
        return self.specs[key].max_age

    def is_simulated(self, source: str) -> bool:
        """Say whether the source is marked as a simulation."""
        state = self.sources.get(source)
        return state.simulated if state else False


def is_silent(state: SourceState) -> bool:
    """Say whether a source tells nothing new: it fails, its run fell silent, or nobody runs it."""
    return bool(state.failure_kind) or state.state == "interrupted" or state.is_overdue


def staleness(supply: Supply, key: str, source: str, observed_at: datetime, allowed: timedelta) -> Cause:
    """Say that a source's observation is older than `allowed`, and what keeps the source from a newer one."""
    sentence = f"{key} was last observed by {source} at {moment(observed_at)}; it may be trusted for {span(allowed)}"
    state = supply.sources.get(source)
    trouble = source_trouble(key, state) if state else None
    if trouble:
        return Cause(CauseKind.STALE, key, sentence, trouble.action, trouble.party, source, trouble.sentence)
    if source == CATALOG_SOURCE:
        action = f"State {key} in the catalog again if it was removed; else read it again: `portal catalog refresh`."
        return Cause(CauseKind.STALE, key, sentence, action, Party.TEAM, source)
    if state is None:
        sentence = f"{sentence}. No such source is configured any more"
        action = f"Configure the source {source} again, or another one that supplies {key}."
        return Cause(CauseKind.STALE, key, sentence, action, Party.OPERATORS, source)
    action = f"Find out why {source} no longer reports {key} for this service: its own data may have stopped."
    return Cause(CauseKind.STALE, key, sentence, action, Party.TEAM, source)


def wrong_type(key: str, kind: str, source: str, fault: str) -> Cause:
    """Say that what a source reports is not of the declared kind."""
    sentence = f"{source} reports a value for {key} that {fault} (declared as {kind})"
    party = Party.TEAM if source == CATALOG_SOURCE else Party.OPERATORS
    return Cause(CauseKind.WRONG_TYPE, key, sentence, f"Correct what {source} reports as {key}.", party, source)


def source_trouble(key: str, state: SourceState) -> Cause | None:
    """Return what is wrong with a source that should supply a fact, or None when its last run went well."""
    name = state.name
    if state.failure_kind:
        since = (
            f"has been failing since its last success at {moment(state.last_success_at)}"
            if state.last_success_at
            else "has never succeeded"
        )
        message = (state.failure_message or "").rstrip(".")
        sentence = f"The source {name} {since} ({state.failure_kind}{': ' + message if message else ''})"
        action = f"Mend the source {name}; `portal sources check {name}` shows whether it answers."
        return Cause(CauseKind.SOURCE_FAILING, key, sentence, action, Party.OPERATORS, name)
    if state.state == "interrupted":
        sentence = f"The last run of the source {name} was interrupted"
        action = f"Run it again: `portal sources collect {name}`."
        return Cause(CauseKind.INTERRUPTED, key, sentence, action, Party.OPERATORS, name)
    if state.is_overdue and state.last_success_at:
        last = moment(state.last_success_at)
        sentence = f"The source {name} was last collected at {last}, and its next run is overdue"
        action = "See that a worker runs (`portal worker`, or `portal up`) and keeps up with what is due."
        return Cause(CauseKind.OVERDUE, key, sentence, action, Party.OPERATORS, name)
    if state.last_success_at is None:
        sentence = f"The source {name} has not finished a run yet"
        action = f"Wait for its first run, or start it: `portal sources collect {name}`."
        return Cause(CauseKind.NEVER_RAN, key, sentence, action, Party.OPERATORS, name)
    return None


def absence(supply: Supply, key: str, known_to: Collection[str]) -> Cause:
    """Say why nobody has observed a fact of a service; `known_to` names the sources that know the service at all."""
    if key.startswith(ENTITY):
        sentence = f"The catalog's entity has no {key.removeprefix(ENTITY)}"
        action = f"State {key.removeprefix(ENTITY)} in the service's catalog file."
        return Cause(CauseKind.NOT_OBSERVED, key, sentence, action, Party.TEAM, CATALOG_SOURCE)
    catalog = supply.offers.get(CATALOG_SOURCE)
    if catalog and key in catalog.max_ages:
        sentence = f"The catalog does not state {_called(supply, key)}"
        return Cause(CauseKind.NOT_OBSERVED, key, sentence, "", Party.TEAM, CATALOG_SOURCE)
    suppliers = supply.suppliers(key)
    if not suppliers:
        return _no_source(supply, key)
    troubles = [trouble for state in suppliers if (trouble := source_trouble(key, state))]
    if troubles:
        return troubles[0]
    return _not_observed(supply, key, suppliers[0], suppliers[0].name in known_to)


def _no_source(supply: Supply, key: str) -> Cause:
    plugins = sorted(offer.plugin for offer in supply.offers.values() if key in offer.max_ages)
    pushed_to = [state.name for state in supply.sources.values() if state.plugin == PUSH]
    called = _called(supply, key)
    if not plugins and SYSTEMS.get(key) == PORTAL_RECORDS:
        sentence = f"Nothing is recorded here that says {called}, and no source supplies it"
        action = (
            f"Record it in this portal: docs/engagements.md (Our own records as facts) says what {key} is read from."
        )
        return Cause(CauseKind.NO_SOURCE, key, sentence, action, Party.TEAM)
    sentence = f"No configured source supplies {called}"
    if pushed_to:
        sentence = f"Nobody pushes {called} for this service, and no other source supplies it"
    to = f" to {' or '.join(pushed_to)}" if pushed_to else ""
    if not plugins:
        system = SYSTEMS.get(key)
        sentence = f"{sentence}; {system} would" if system else sentence
        action = f"Have {system or 'what knows it'} push {key}{to}, or install a connector that supplies it."
        return Cause(CauseKind.NO_SOURCE, key, sentence, action, Party.OPERATORS)
    words = " or ".join(plugins)
    action = f"Add a source with the plugin {words} to `sources:` in portal.yaml"
    action = f"{action}, or have what knows it push {key}{to}." if pushed_to else f"{action}."
    return Cause(CauseKind.NO_SOURCE, key, f"{sentence}; the plugin {words} would", action, Party.OPERATORS)


def _not_observed(supply: Supply, key: str, state: SourceState, known: bool) -> Cause:
    fault = next((fault for fault in state.fault_sample if key in str(fault.get("scope", ""))), None)
    if fault:
        sentence = f"The source {state.name} could not answer for {key} in its last run: {_plain(fault.get('message'))}"
        action = (
            f"Mend what {state.name} is asked for {key}; `portal sources check {state.name}` shows what it answers."
        )
        return Cause(CauseKind.SOURCE_FAILING, key, sentence, action, Party.OPERATORS, state.name)
    if known:
        sentence = f"The source {state.name} knows this service, but reports no {_called(supply, key)} for it"
        action = f"docs/connectors/{state.plugin}.md says what {key} is read from."
        return Cause(CauseKind.NOT_OBSERVED, key, sentence, action, Party.TEAM, state.name)
    sentence = f"The source {state.name} does not know this service"
    offer = supply.offers.get(state.plugin)
    annotations = " or ".join(f"`{name}`" for name, _ in offer.annotations) if offer else ""
    action = f"Tie the service to {state.name}: set the annotation {annotations}." if annotations else ""
    return Cause(CauseKind.NOT_OBSERVED, key, sentence, action, Party.TEAM, state.name)


def _plain(message: object) -> str:
    return str(message or "no reason given").rstrip(".")


def _called(supply: Supply, key: str) -> str:
    """Name a fact by its key and by what it says: `probes.count (end-to-end probes of it from outside)`."""
    spec = supply.specs.get(key)
    return f"{key} ({_lower_first(spec.description)})" if spec and spec.description else key


def _lower_first(text: str) -> str:
    text = text.strip().rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text
