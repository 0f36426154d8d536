"""What a person names on a command line: a URL, or files. Pure but for the working folder."""

import os

from catalog.ingestion.reading import FILE, URL


def classify(target: str) -> tuple[str, str]:
    """Return type and target of what a person names on a command line: a URL, or a path made absolute."""
    if target.lower().startswith(("http://", "https://")):
        return URL, target
    return FILE, os.path.abspath(os.path.expanduser(target))
