"""The name of a host as ASCII, by UTS #46 as the WHATWG URL standard applies it. Pure."""

import unicodedata

from idna import check_bidi, uts46_remap, valid_contextj

PUNYCODE = "xn--"
JOINERS = "\u200c\u200d"
RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
"""Bidirectional classes (UAX #9) that make a label's direction matter."""


def to_ascii(domain: str) -> str | None:
    """Return a host's name in ASCII letters; None where it breaks a rule for names in other scripts.

    A name in ASCII is taken as it is, hyphens may stand anywhere and no label is too long (`beStrict` is false).
    """
    if domain.isascii():
        return domain.lower()
    try:
        labels = [_unicode_label(label) for label in _mapped(domain).split(".")]
        return ".".join(label if label.isascii() else PUNYCODE + label.encode("punycode").decode() for label in labels)
    except ValueError:
        return None


def _mapped(text: str) -> str:
    return uts46_remap(text, std3_rules=False)


def _unicode_label(label: str) -> str:
    """Return a label as it is read, which may be written in Punycode; raises ValueError for a bad one."""
    if not label.startswith(PUNYCODE):
        return _checked(label)
    decoded = label[len(PUNYCODE) :].encode("ascii").decode("punycode")
    if decoded.isascii() or _mapped(decoded) != decoded:
        raise ValueError("Punycode of what needs none, or of what may not stand in a name")
    return _checked(decoded)


def _checked(label: str) -> str:
    if label and unicodedata.category(label[0]).startswith("M"):
        raise ValueError("begins with a combining mark")
    for at, char in enumerate(label):
        if char in JOINERS and not valid_contextj(label, at):
            raise ValueError("holds a joiner that joins nothing")
    if any(unicodedata.bidirectional(char) in RIGHT_TO_LEFT for char in label):
        check_bidi(label)
    return label
