"""The state machines as pages of the docs: a Mermaid diagram and a table, made from the code. Pure."""

from pathlib import Path

from engagements.lifecycle.machines import MACHINES, Machine, Transition
from engagements.lifecycle.states import CLOSED, PAUSED, Model, State

TITLES = {
    Model.SIMPLE_PRR: "Simple production readiness review",
    Model.EARLY: "Early engagement",
    Model.FRAMEWORK: "Framework and platform",
}
NOTE = "Made from `engagements/lifecycle/machines.py` by `python -m engagements.lifecycle.drawing docs/states`."


def page(machine: Machine) -> str:
    """Return the page of one machine, as Markdown."""
    closed = [state for state in machine.states() if state in CLOSED]
    parts = [
        f"# {TITLES[machine.model]} (`{machine.model}`)",
        NOTE,
        diagram(machine),
        f"Begins in `{machine.initial}`; ends in {', '.join(f'`{state}`' for state in closed)}. "
        f"{_pausing(machine)}".strip(),
        "Any of the roles is enough; an administrator has them all. A plugin moves nothing.",
        table(machine),
        "## What the guards ask for",
        "\n".join(f"- `{name}`: {says}" for name, says in sorted(_guards(machine).items())),
    ]
    return "\n\n".join(parts) + "\n"


def diagram(machine: Machine) -> str:
    """Return the machine as a Mermaid state diagram; pauses are left out of it."""
    lines = [f"    [*] --> {machine.initial}"]
    lines += [f"    {each.source} --> {each.to}" for each in machine.transitions if each.to != PAUSED]
    lines += [f"    {state} --> [*]" for state in machine.states() if state in CLOSED]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def table(machine: Machine) -> str:
    """Return every transition with who makes it, its guards, what the history says and what it changes."""
    head = "| from → to | who | guards | event | effect |\n|---|---|---|---|---|"
    rows = [_row(each) for each in machine.transitions if each.to != PAUSED]
    return "\n".join([head, *rows])


def _row(each: Transition) -> str:
    roles = ", ".join(sorted(each.roles))
    guards = ", ".join(f"`{guard.name}`" for guard in each.guards) or "none"
    return f"| {each.source} → {each.to} | {roles} | {guards} | `{each.event}` | {each.effect} |"


def _guards(machine: Machine) -> dict[str, str]:
    return {guard.name: guard.says for each in machine.transitions for guard in each.guards}


def _pausing(machine: Machine) -> str:
    pauses = [each for each in machine.transitions if each.to == PAUSED]
    states = ", ".join(f"`{State(each.source)}`" for each in pauses)
    roles = ", ".join(sorted(pauses[0].roles))
    return f"It can be paused, with a reason, and resumed in {states} ({roles})."


def write(folder: Path) -> None:
    """Write the page of every machine into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for machine in MACHINES.values():
        (folder / f"{machine.model}.md").write_text(page(machine))


if __name__ == "__main__":
    import sys

    write(Path(sys.argv[1]))
