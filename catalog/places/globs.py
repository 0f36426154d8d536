"""Patterns of paths: `*`, `?` and `[…]` within a step, `**` for any number of folders. Pure."""

import fnmatch
import re

GLOB = re.compile(r"[*?\[]")
ANY_FOLDERS = "**"


def is_pattern(path: str) -> bool:
    """Say whether a path holds a wildcard."""
    return GLOB.search(path) is not None


class PathPattern:
    """A pattern, ready to be compared; no pattern and no path can make that slow."""

    def __init__(self, pattern: str, *, any_case: bool = False) -> None:
        flags = re.IGNORECASE if any_case else 0
        self._steps: list[re.Pattern[str] | None] = []
        """None stands for any number of folders."""
        for step in pattern.split("/"):
            if step != ANY_FOLDERS:
                self._steps.append(re.compile(fnmatch.translate(step), flags))
            elif not self._steps or self._steps[-1] is not None:
                self._steps.append(None)

    def fits(self, path: str) -> bool:
        """Say whether a path is one that the pattern means."""
        reached = self._skipping({0})
        for step in path.split("/"):
            after: set[int] = set()
            for position in reached:
                wanted = self._steps[position] if position < len(self._steps) else _NOTHING
                if wanted is None:
                    after.add(position)
                elif wanted.match(step):
                    after.add(position + 1)
            reached = self._skipping(after)
        return len(self._steps) in reached

    def _skipping(self, positions: set[int]) -> set[int]:
        """Add what is reached by taking `**` for no folder at all."""
        skipped = {
            position + 1 for position in positions if position < len(self._steps) and self._steps[position] is None
        }
        return positions | skipped


_NOTHING = re.compile(r"(?!)")
