"""Why a place is not read."""


class Unreadable(Exception):
    """A target cannot be read; the message says why and, where one can, what to do."""


class TooMuch(Unreadable):
    """A limit on the whole of a location is reached; nothing more of it is read."""
