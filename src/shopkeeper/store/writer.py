"""Group commit: many threads append at once, one transaction takes them all to disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from types import TracebackType

from shopkeeper.errors import ShopkeeperError, StoreError
from shopkeeper.records import Event
from shopkeeper.store.protocols import EventLog

_Waiting = tuple[Sequence[Event], "Future[int]"]


class GroupWriter:
    """Collects what threads append while the last commit is on its way, and commits it together.

    Args:
        log: Where the events go.
        limit: Most events of one commit (a single larger batch is still taken).
    """

    def __init__(self, log: EventLog, limit: int = 5_000) -> None:
        self._log = log
        self._limit = limit
        self._waiting: deque[_Waiting] = deque()
        self._ready = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="shopkeeper-event-writer", daemon=True)
        self._thread.start()

    def append(self, events: Sequence[Event]) -> int:
        """Write events; they are on disk when this returns.

        Returns:
            How many of them were new.

        Raises:
            InputError: One of these events cannot be kept; none of this batch is written, others are not touched.
            StoreError: The database refused, or the writer is closed.
        """
        done: Future[int] = Future()
        with self._ready:
            if self._closed:
                raise StoreError("The event writer is closed.", cure="Open the store again.")
            self._waiting.append((events, done))
            self._ready.notify()
        return done.result()

    def close(self) -> None:
        """Write what is waiting, then stop. Later appends raise; closing twice is fine."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        self._thread.join()

    def __enter__(self) -> GroupWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _work(self) -> None:
        while group := self._next():
            self._commit(group)

    def _next(self) -> list[_Waiting]:
        """The next group; empty once closed and drained."""
        with self._ready:
            self._ready.wait_for(lambda: self._waiting or self._closed)
            group: list[_Waiting] = []
            size = 0
            while self._waiting and (not group or size + len(self._waiting[0][0]) <= self._limit):
                group.append(self._waiting.popleft())
                size += len(group[-1][0])
            return group

    def _commit(self, group: list[_Waiting]) -> None:
        try:
            counts = self._log.append_all([events for events, _ in group])
        except ShopkeeperError as error:
            if len(group) == 1:
                group[0][1].set_exception(error)
            else:
                for one in group:  # find whose batch it was; the others must not suffer
                    self._commit([one])
        except BaseException as error:  # noqa: BLE001 - whatever it is, somebody waits for an answer
            for _, done in group:
                done.set_exception(error)
        else:
            for (_, done), count in zip(group, counts, strict=True):
                done.set_result(count)
