"""What the command line shows: tables and bars for people, one JSON document for programs, never both."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from shopkeeper.progress import Span, listening


class Output:
    """Where a command's result goes.

    Attributes:
        as_json: True prints exactly one JSON document on standard output and keeps progress on standard error.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._out = Console()
        self._err = Console(stderr=True)

    def say(self, text: str) -> None:
        """A line for people; programs do not see it."""
        if not self.as_json:
            self._out.print(text, highlight=False, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """A line on standard error."""
        self._err.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table for people."""
        if self.as_json:
            return
        table = Table(title=title, title_justify="left", title_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(_cell(value) for value in row))
        self._out.print(table)

    def result(self, document: Mapping[str, Any] | Sequence[Any]) -> None:
        """The result for programs."""
        if self.as_json:
            sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Draw a bar for every span of the enclosed work."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[notes]}", style="dim"),
        )
        console = self._err if self.as_json else self._out
        with Progress(*columns, console=console, transient=not console.is_terminal) as bars, listening(_Bars(bars)):
            yield


class _Bars:
    """Turns spans into bars, one each."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task: dict[int, TaskID] = {}

    def __call__(self, span: Span) -> None:
        notes = " ".join(f"{name} {value}" for name, value in span.notes.items())
        count = f"{span.done:,}" + (f"/{span.total:,}" if span.total else "") + (f" {span.unit}" if span.unit else "")
        if id(span) not in self._task:
            self._task[id(span)] = self._bars.add_task(span.name, total=span.total, count=count, notes=notes)
        task = self._task[id(span)]
        self._bars.update(task, completed=span.done, count=count, notes=notes)
        if span.finished:
            self._bars.update(task, total=span.done or 1, completed=span.done or 1)
            del self._task[id(span)]


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
