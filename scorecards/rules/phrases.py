"""The words of rules written as text, and the operators that they stand for."""

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
    ("does not match", "doesNotMatch"),
    ("not matches", "doesNotMatch"),
    ("matches", "matches"),
    ("is not in", "notIn"),
    ("not in", "notIn"),
    ("is in", "in"),
    ("in", "in"),
)
"""The operators in words, longer ones before their own beginnings."""

OF_TEXTS = frozenset({"contains", "doesNotContain", "startsWith", "endsWith", "matches", "doesNotMatch", "hasValue"})
"""Those with one text on their right: a bare word there is a text, whatever facts there are."""

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
