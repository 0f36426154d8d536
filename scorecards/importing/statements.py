"""What kind of thing a line of a checklist is, and which axis it belongs to. Pure."""

import html
import re
from enum import StrEnum

from scorecards.checks.definitions import Axis
from scorecards.importing.drafts import Item, plain
from scorecards.importing.topics import words_abroad

MARKUP = (
    (re.compile(r"<!--.*?-->"), ""),
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), ""),
    (re.compile(r"\[([^\]]+)\]\([^)]*\)"), r"\1"),
    (re.compile(r"\[([^\]]+)\]\[[^\]]*\]"), r"\1"),
    (re.compile(r"<((?:https?|mailto):[^>]+)>"), r"\1"),
    (re.compile(r"</?[A-Za-z][^>]*>"), " "),
    (re.compile(r"(\*\*|__|~~)(.+?)\1"), r"\2"),
    (re.compile(r"(?<![\w*])[*_]([^*_\s][^*_]*)[*_](?![\w*])"), r"\1"),
    (re.compile(r"`+([^`]*)`+"), r"\1"),
    (re.compile(r":[a-z0-9_+-]+:(?!\S)"), ""),
)
BOX = re.compile("^[☐☑✅⬜❌□✔✓\ufe0f\\s]+")
WORDS = re.compile(r"[^\W\d_]{2}")
EASTERN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Japanese, Chinese and Korean: written with few spaces, and a name is shorter than a sentence."""
OPEN_EASTERN = re.compile(r"(何|なに|どの|どこ|いつ|誰|どう|なぜ|무엇|어떻게|어디|언제|누가|왜|什么|怎么|哪|谁|为什么)")
MAX_EASTERN_FRAGMENT = 8
OPEN_QUESTION = re.compile(r"^(and |so |if \w+,? )?(what|how|which|where|who|whom|whose|when|why)\b", re.IGNORECASE)
CLAUSE = re.compile(r"^(when|where|how)\b[^?]+,\s", re.IGNORECASE)
"""`When a change is merged, …` begins a statement, and asks nothing."""
ADVICE = re.compile(
    r"^(consider|think (about|of)|try|prefer|choose|decide|you may|you might|one option|another option|"
    r"avoid|use|set|make|don'?t|do not|ensure|follow|keep|learn|schedule|identify|apply|add|define)\b",
    re.IGNORECASE,
)
CHOICE = re.compile(
    r"^(consider|think (about|of)|try\b|prefer|choose|decide|you may|you might|one option|another option)|"
    r"\b(you might want to|you may want to|may want to) consider\b",
    re.IGNORECASE,
)
PLACEHOLDER = re.compile(
    r"^(to-?do|tbd|tba|fixme|wip|lorem ipsum|n/?a|none|\.{2,}|…|-+)\b.{0,60}$|^placeholders?\W*(\bfor\b.*)?$", re.I
)
LINK = re.compile(r"^<?(https?://|www\.)\S+>?$")
CERTAIN = re.compile(
    r"\b(must|required|mandatory|critical|blocker|no[- ]go|p0|muss|pflicht|obligat\w+|obrigat\w+)\b|必須|필수|必须",
    re.IGNORECASE,
)
"""In a column of its own, or a heading."""
INSISTING = re.compile(
    r"\b(must|mandatory|(is|are) required|p0|muss|pflicht|obligat\w+|obrigat\w+)\b|必須|필수|必须", re.IGNORECASE
)
"""In the line itself, where `critical` and `required` tell of what it speaks: `Critical alerts are routed`."""
OPTIONAL = re.compile(
    r"\b(optional(ly)?|nice[- ]to[- ]have|could|if possible|recommended|bonus|advanced|empfohlen|opcional)\b|"
    r"任意|推奨|선택",
    re.IGNORECASE,
)
HIGH = re.compile(r"\b(high(est)?|urgent|yes|true|essential|p1)\b|^高$", re.IGNORECASE)
LOW = re.compile(r"\b(low(est)?|minor|no|false|should|may|nice|p[3-5]|trivial)\b|^低$", re.IGNORECASE)
CODE = re.compile(
    r"[A-Za-z]{1,12}(?:[ ._-]?[A-Za-z]{1,12}){0,3}[ ._-]?\d+(?:[ ._-]?[\dA-Za-z]{1,3}){0,3}|\d+(?:\.\d+)*"
)
"""A name that only numbers the line, such as `PRC-02-001` or `osps_ac_01_01`."""
MEDALS = {"bronze": 1, "silver": 2, "gold": 3, "platinum": 4}
OF_TEAM = re.compile(
    r"\b(team|members?|stand-?ups?|sprint|retrospectives?|1:1|backlog|onboarding|mentor|skills?|agile|scrum|meeting)\b",
    re.IGNORECASE,
)
VERB = re.compile(
    r"\b(is|are|was|were|has|have|had|can|could|may|must|should|shall|will|does|do|did|be|been|exists?|uses?|runs?|"
    r"manages?|protects?|covers?|supports|handles|rotates|(auto-?)?renews?|passes|follows|returns|sends|recovers|restarts|"
    r"\w{3,}ed)\b",
    re.IGNORECASE,
)
PHASE = re.compile(r"\b(before|after|pre|post|at)[ -](the )?(launch|release|deploy(ment)?)\b", re.IGNORECASE)
"""A heading that says when, and not of what."""
DONTS = re.compile(r"^\W*(don.?ts?|what not to do)\W*$|anti-?patterns?\b", re.IGNORECASE)
"""Under these headings a line that denies is wanted: `No shared accounts`; under red flags it is what was found."""
UNWANTED = re.compile(
    r"\bno[- ]go\b|red flags?\b|\bstop[- ](ship|conditions?)|\bwarning signs?\b|"
    r"\b(findings|problems|issues) to (flag|look for)\b|"
    r"\b(do not|don.?t|never|must not) (launch|release|ship|deploy|proceed|go live)\b.{0,30}\b(if|when|while|until)\b|"
    rf"{DONTS.pattern}",
    re.IGNORECASE,
)
"""A heading under which stands what must not be."""
FINDING = re.compile(
    r"^(?:fails?|indicates?|flags?|warns?|complains?) (?:when|if|that|whether)\s+|"
    r"^(?=no (?:explicit|evidence of|signs? of)\b.*\b(?:found|detected|seen)\b)",
    re.IGNORECASE,
)
"""`Fails when no probe is set`, `No explicit timeout was found`: what would be found, and is wanted not to be."""
DENIED = re.compile(r"^(no|never|not|don.?t|do not|avoid|without)\b", re.IGNORECASE)
FORBIDDING = re.compile(r"^(don.?t|do not|avoid|never)\b", re.IGNORECASE)
UNDECIDED = re.compile(
    r"\bany (new|missing|other|known|outstanding|open|unresolved|risks?|concerns?|changes?)\b|\bresult in\b|"
    r"\b(breaks?|breaking|impacts?|affects?|depends? on|deprecat\w+|degrad\w+|changes? any|risks?)\b",
    re.IGNORECASE,
)
"""A question of consequences, which yes answers no better than no."""
SUBJECT = re.compile(r"^(its?|they|their|we|our|all|every|each|no)\b", re.IGNORECASE)
MAX_FRAGMENT = 4
"""So many words without a verb name a topic and state nothing by themselves."""


class Kind(StrEnum):
    """What a line is."""

    STATEMENT = "statement"
    QUESTION = "question"
    """Answered by yes or no."""
    OPEN_QUESTION = "open question"
    CHOICE = "choice"
    """Something to weigh up, such as `Consider Git tags`."""
    TOPIC = "topic"
    """A name, such as `Dashboards`."""
    PLACEHOLDER = "placeholder"


AXES: tuple[tuple[Axis, re.Pattern[str]], ...] = (
    (
        Axis.EMERGENCY,
        re.compile(
            r"on-?call|incident|alert|pager|paging|run-?book|play-?book|escalat|post-?mortem|drill|disaster|emergenc|"
            r"outage|\btoil\b"
        ),
    ),
    (
        Axis.OBSERVABILITY,
        re.compile(
            r"monitor|metric|\blog|trac(e|ing)|dashboard|\bsl[oi]s?\b|error budget|telemetr|observab|instrument|health|"
            r"profil"
        ),
    ),
    (
        Axis.CAPACITY,
        re.compile(
            r"capacity|scal(e|ing)|\bload\b|quota|\blimits?\b|\bcpu|memory|storage|traffic|throttl|rate limit|disk|"
            r"forecast|saturat|sessions"
        ),
    ),
    (
        Axis.CHANGE,
        re.compile(
            r"deploy|releas|roll-?back|\bc[id]\b|\btests?\b|testing|review|branch|merge|commit|repositor|\bgit|terraform|"
            r"\biac\b|configur|version|pipeline|lint|\bbuild|pull request|\bprs?\b|launch|modul|variabl|naming|"
            r"change (failure|management|advisory|freeze)|feature (flag|toggle)|"
            r"tag(s|ged)\b"
        ),
    ),
    (Axis.PERFORMANCE, re.compile(r"latency|performan|efficien|\bcosts?\b|\bslow|response time|throughput|\bbills?\b")),
    (
        Axis.ARCHITECTURE,
        re.compile(
            r"architect|design|dependenc|redundan|backup|restor|recover|database|replica|network|\bapi|encrypt|secur|"
            r"access|owner|document|degrad|timeout|retr(y|ies)|resilien|failover|secret|privileg|region|credential"
        ),
    ),
)

ESCAPED = re.compile(r"\\([\[\](){}#+.!_>~|-])")
"""A sign that Markdown is told to leave as it is."""


def bare(text: str) -> str:
    """Return a line without its Markdown: links by their words, no emphasis, no emoji codes."""
    text = html.unescape(text.encode(errors="replace").decode())
    for pattern, words in MARKUP:
        text = pattern.sub(words, text)
    text = ESCAPED.sub(r"\1", text)
    return plain(BOX.sub("", text)).strip(" :–—：")


def kind_of(text: str) -> Kind:
    """Say what a line is, in its bare form."""
    if not WORDS.search(text) or PLACEHOLDER.match(text) or LINK.match(text):
        return Kind.PLACEHOLDER
    if EASTERN.search(text):
        return _kind_of_eastern(text)
    if OPEN_QUESTION.match(text) and ("?" in text or (len(text.split()) > 1 and not CLAUSE.match(text))):
        return Kind.OPEN_QUESTION
    if "?" in text.split(" (")[0]:
        return Kind.QUESTION
    if CHOICE.search(text):
        return Kind.CHOICE
    is_whole = VERB.search(text) or ADVICE.match(text) or SUBJECT.match(text)
    return Kind.TOPIC if len(text.split()) <= MAX_FRAGMENT and not is_whole else Kind.STATEMENT


def _kind_of_eastern(text: str) -> Kind:
    if re.search(r"([?\uff1f]|か[。．]?)$", text):
        return Kind.OPEN_QUESTION if OPEN_EASTERN.search(text) else Kind.QUESTION
    return Kind.TOPIC if len(text) <= MAX_EASTERN_FRAGMENT else Kind.STATEMENT


def is_unwanted(item: Item) -> bool:
    """Say whether the line tells what must not be so."""
    under = [heading for heading in item.section[-2:] if UNWANTED.search(heading)]
    denied = DENIED if under and DONTS.search(under[-1]) else FORBIDDING
    return item.is_finding or bool(FINDING.match(item.text)) or (bool(under) and not denied.match(item.text))


def stated(text: str) -> str:
    """Return what a line states, without how it begins (`Fails when`) and ends."""
    return FINDING.sub("", plain(text)).rstrip(" .:;,")


def confirms(item: Item, kind: Kind) -> str:
    """Return what a person confirms who attests the line."""
    text = stated(item.text)
    if is_unwanted(item):
        return f"This is not so: “{text}”"
    under = f"{item.section[-1]}: " if item.section else ""
    if kind is Kind.OPEN_QUESTION:
        return f"The answer is written down, and up to date: “{text}”"
    if kind is Kind.QUESTION and UNDECIDED.search(text):
        return f"The answer is written down, and it stands in nothing's way: “{text}”"
    if kind is Kind.QUESTION:
        return f"The answer is yes: “{text}”"
    if kind is Kind.CHOICE:
        return f"It was decided, and the reasons are written down: “{under}{text}”"
    if kind is Kind.TOPIC:
        return f"It is taken care of, and it is written down where: “{under}{text}”"
    return f"{text}."


def axis_of(item: Item) -> Axis:
    """Return the axis whose words the line uses most, its headings counting half; architecture where it uses none."""
    scores: dict[Axis, float] = {}
    parts = [(item.text, 2.0), (item.name, 2.0), (item.detail, 0.5)]
    parts += [(PHASE.sub("", heading), 1.0) for heading in item.section[-2:]]
    for axis, pattern in AXES:
        scores[axis] = sum(
            weight * (len(pattern.findall(text.lower())) + len(words_abroad(axis).findall(text.lower())))
            for text, weight in parts
        )
    best = max(scores, key=lambda axis: scores[axis])
    return best if scores[best] else Axis.ARCHITECTURE


def level_of(item: Item) -> int | None:
    """Return the level that the document gives the line, 1 to 4, in a column of its own; None where it gives none."""
    grade = item.grade.strip().lower()
    found = re.fullmatch(r"(?:l|level|tier|stage)?\s?([1-4])", grade)
    return item.level or (int(found[1]) if found else MEDALS.get(grade))


def is_optional(item: Item) -> bool:
    """Say whether the document itself holds the line for dispensable."""
    return (
        item.optional
        or bool(LOW.search(item.grade))
        or bool(OPTIONAL.search(f"{item.name} {item.text}"))
        or any(OPTIONAL.search(one) for one in item.section)
    )


def insists(item: Item) -> bool:
    """Say whether the line itself says that it has to be, or a column of its own does."""
    return bool(INSISTING.search(item.text) or CERTAIN.search(item.grade) or HIGH.search(item.grade))


def is_certain(item: Item) -> bool:
    """Say whether the document insists on the line, be it by the headings that it stands under."""
    return insists(item) or any(len(one.split()) <= MAX_FRAGMENT and CERTAIN.search(one) for one in item.section)


def is_of_team(item: Item) -> bool:
    """Say whether the line speaks of people and how they work, and not of a service."""
    return bool(OF_TEAM.search(" ".join((item.text, *item.section[-2:]))))
