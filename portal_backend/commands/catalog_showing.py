"""What the commands of `portal catalog` share: faults in the order of their files, and how far a read has come."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.markup import escape

from portal_backend.commands.common import console
from portal_backend.core.clock import format_time

FileSeen = Callable[[str], None]


@contextmanager
def watched(json_output: bool) -> Iterator[FileSeen]:
    """Show which file is being read, while a person watches."""
    if json_output or not console.is_terminal:
        yield lambda _: None
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(), TextColumn("{task.completed} files"), TextColumn("{task.fields[file]}", markup=False))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("read", total=None, file="")
        yield lambda file: progress.update(task, advance=1, file=file)


def last_time(moment: datetime | None) -> str:
    """Return when something was last done, to the second; `never` where it was not."""
    return format_time(moment.replace(microsecond=0)) if moment else "never"


def show_faults(found: Sequence[Any]) -> None:
    """Print faults below the file and the document that they are in."""
    place: tuple[str, int | None] | None = None
    for fault in found:
        if place != (fault.file, fault.document):
            place = (fault.file, fault.document)
            document = "" if fault.document is None else f", document {fault.document}"
            of = f" ({fault.ref})" if fault.ref else ""
            console.print(f"[bold]{escape(fault.file)}[/]{document}{escape(of)}", soft_wrap=True)
        field = f"[cyan]{escape(fault.path)}[/]: " if fault.path else ""
        console.print(f"  {field}{escape(fault.message)}", soft_wrap=True)
