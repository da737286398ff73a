"""Progress is data: long work reports `Span`s, and whoever listens draws a bar, a gauge or a log line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Span:
    """How far a piece of work has come.

    Attributes:
        total: Units of work expected, or None when unknown.
        done: Units finished.
        notes: Figures to show beside the bar, e.g. ``{"loss": "0.31"}``.
        finished: True once the work has ended, well or badly.
    """

    name: str
    total: int | None = None
    unit: str = ""
    done: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    finished: bool = False

    def advance(self, count: int = 1, **notes: object) -> None:
        """Report `count` more units done, with figures to show."""
        self.done += count
        self.notes.update({name: str(value) for name, value in notes.items()})
        _tell(self)

    @property
    def seconds(self) -> float:
        """Wall time since the work began."""
        return time.monotonic() - self.started

    @property
    def rate(self) -> float:
        """Units per second so far."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds to go at this rate, None when unknown."""
        return (self.total - self.done) / self.rate if self.total is not None and self.rate > 0 else None


Listener = Callable[[Span], None]
_listener: ContextVar[Listener | None] = ContextVar("shopkeeper_progress", default=None)


def _tell(span: Span) -> None:
    listener = _listener.get()
    if listener is not None:
        listener(span)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send every span of the enclosed work to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def span(name: str, total: int | None = None, unit: str = "") -> Iterator[Span]:
    """Report a piece of work from its beginning to its end."""
    current = Span(name, total, unit)
    _tell(current)
    try:
        yield current
    finally:
        current.finished = True
        _tell(current)


def track(values: Iterable[T], name: str, total: int | None = None, unit: str = "") -> Iterator[T]:
    """Yield `values` one by one, reporting each as a unit of work."""
    with span(name, total, unit) as current:
        for value in values:
            yield value
            current.advance()
