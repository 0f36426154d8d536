"""Bounds a YAML document before it is loaded: what is nested, and what aliases stand for. Pure."""

import yaml


def check_size(text: str, max_nesting: int, max_nodes: int) -> None:
    """Raise ValueError for documents that are too deep, or too large with their aliases written out.

    The loader recurses on the machine's stack, whose overflow would end the process; nested aliases and merges grow
    exponentially. Raises yaml.YAMLError where it is no YAML.
    """
    sizes: dict[str | None, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            sizes[anchor] = total - before
        if isinstance(event, yaml.AliasEvent):
            total += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.NodeEvent):
            total += 1
            sizes.setdefault(event.anchor, 1)
        if len(open_nodes) > max_nesting:
            raise ValueError(f"it is nested more than {max_nesting} levels deep")
        if total > max_nodes:
            raise ValueError(f"it holds more than {max_nodes:,} values with its aliases written out")
