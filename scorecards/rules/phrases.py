"""The words of rules written as text, and the operators that they stand for."""

from collections.abc import Mapping

SYMBOLS = {
    "=": "equal",
    "==": "equal",
    "!=": "notEqual",
    "<>": "notEqual",
    "≠": "notEqual",
    "<": "lessThan",
    "<=": "lessThanInclusive",
    "≤": "lessThanInclusive",
    ">": "greaterThan",
    ">=": "greaterThanInclusive",
    "≥": "greaterThanInclusive",
    "=~": "matchesRegex",
    "!~": "doesNotMatchRegex",
}
JOINTS = frozenset({"and", "or", "not"})
MIRRORED = {
    "equal": "equal",
    "notEqual": "notEqual",
    "lessThan": "greaterThan",
    "lessThanInclusive": "greaterThanInclusive",
    "greaterThan": "lessThan",
    "greaterThanInclusive": "lessThanInclusive",
}
AGES = {
    "lessThan": "youngerThan",
    "lessThanInclusive": "youngerThan",
    "greaterThan": "olderThan",
    "greaterThanInclusive": "olderThan",
}
PHRASES: tuple[tuple[str, str], ...] = (
    ("is subset of", "subsetOf"),
    ("subset of", "subsetOf"),
    ("is younger than", "youngerThan"),
    ("younger than", "youngerThan"),
    ("is older than", "olderThan"),
    ("older than", "olderThan"),
    ("is at least as critical as", "atLeastAsCriticalAs"),
    ("at least as critical as", "atLeastAsCriticalAs"),
    ("is at least version", "versionAtLeast"),
    ("at least version", "versionAtLeast"),
    ("is below version", "versionBelow"),
    ("below version", "versionBelow"),
    ("has at least", "hasAtLeast"),
    ("has at most", "hasAtMost"),
    ("does not contain", "doesNotContain"),
    ("not contains", "doesNotContain"),
    ("contains", "contains"),
    ("has value", "hasValue"),
    ("starts with", "startsWith"),
    ("ends with", "endsWith"),
    ("does not match regex", "doesNotMatchRegex"),
    ("matches regex", "matchesRegex"),
    ("does not match", "doesNotMatch"),
    ("not matches", "doesNotMatch"),
    ("matches", "matches"),
    ("is not in", "notIn"),
    ("not in", "notIn"),
    ("is in", "in"),
    ("in", "in"),
    ("overlaps", "overlaps"),
    ("is at least", "greaterThanInclusive"),
    ("at least", "greaterThanInclusive"),
    ("is at most", "lessThanInclusive"),
    ("at most", "lessThanInclusive"),
    ("is more than", "greaterThan"),
    ("more than", "greaterThan"),
    ("is less than", "lessThan"),
    ("less than", "lessThan"),
    ("is fewer than", "lessThan"),
    ("fewer than", "lessThan"),
)
"""The operators in words, longer ones before their own beginnings."""

OF_TEXTS = frozenset(
    {
        *("contains", "doesNotContain", "startsWith", "endsWith", "matches", "doesNotMatch", "hasValue"),
        *("matchesRegex", "doesNotMatchRegex"),
    }
)
"""Those with one text on their right: a bare word there is a text, whatever facts there are."""

COUNTED: Mapping[str, tuple[str, str]] = {
    "count": ("hasAtLeast", "hasAtMost"),
    "length": ("lengthAtLeast", "lengthAtMost"),
}
"""What is counted of a fact, its members or the characters of a text: the operators for at least and at most."""
MEMBERS: tuple[tuple[str, str, bool], ...] = (
    ("every member of", "everyFact", True),
    ("each member of", "everyFact", True),
    ("any member of", "someFact", True),
    ("some member of", "someFact", True),
    ("no member of", "someFact", False),
)
"""Which members of a set a condition is asked of, and whether it is to hold or not to."""

FLAGS: tuple[tuple[str, str, bool], ...] = (
    ("is not empty", "isEmpty", False),
    ("is empty", "isEmpty", True),
    ("does not exist", "exists", False),
    ("is not set", "exists", False),
    ("is set", "exists", True),
    ("exists", "exists", True),
)
LONG_UNITS = {
    "minute": "m",
    "minutes": "m",
    "hour": "h",
    "hours": "h",
    "day": "d",
    "days": "d",
    "week": "w",
    "weeks": "w",
}
