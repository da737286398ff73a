"""What was shown is written down behind the answer's back: a bounded queue and one writer thread.

A full queue makes answers wait (a lost impression would bias everything learnt from clicks); a clean stop writes all.
"""

from __future__ import annotations

import enum
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

from shopkeeper.errors import ShopkeeperError
from shopkeeper.records import Answer, Event, EventKind
from shopkeeper.serving.telemetry import Metrics

log = logging.getLogger(__name__)

_BATCH = 200
_GATHER = 0.05
"""Seconds in which impressions are gathered for one transaction; one each would cost the next answer milliseconds."""
_PATIENCE = (0.1, 0.5, 2.0)


class _Sign(enum.Enum):
    """What the writer is told between impressions."""

    WRITE = enum.auto()
    STOP = enum.auto()


class ImpressionLog:
    """Writes impressions in batches.

    Args:
        record: Writes events durably; called from one thread only.
        capacity: Impressions that may wait.
    """

    def __init__(self, record: Callable[[Sequence[Event]], int], metrics: Metrics, capacity: int = 10_000) -> None:
        self._record = record
        self._metrics = metrics
        self._queue: queue.Queue[Event | _Sign] = queue.Queue(capacity)
        self._waiting: set[str] = set()
        self._thread = threading.Thread(target=self._write, name="impressions", daemon=True)
        self._thread.start()

    def add(self, answer: Answer) -> None:
        """Note what an answer showed; returns at once unless the queue is full.

        That a query found nothing is worth knowing, too: its first page is noted with no items.
        """
        request = answer.request
        if not answer.hits and (request.offset or not request.query):
            return
        properties = {"language": request.language} if request.language else {}
        self._waiting.add(request.id)
        self._queue.put(answer.shown(EventKind.IMPRESSION, properties))
        self._metrics.waiting.set(self._queue.qsize())

    def before(self, events: Sequence[Event], seconds: float = 1.0) -> None:
        """Write first the pages that some events react to: in the log a click stands behind its page."""
        pages = {event.request for event in events if event.request}.intersection(self._waiting.copy())
        if not pages:
            return
        limit = time.monotonic() + seconds
        self._queue.put(_Sign.WRITE)
        while not pages.isdisjoint(self._waiting.copy()) and time.monotonic() < limit:
            time.sleep(0.002)

    def flush(self, seconds: float = 10.0) -> bool:
        """Write now all that was added so far, and wait for it; False when it took too long."""
        limit = time.monotonic() + seconds
        if self._queue.unfinished_tasks and self._thread.is_alive():
            self._queue.put(_Sign.WRITE)
        while self._queue.unfinished_tasks and time.monotonic() < limit:
            time.sleep(0.002)
        return not self._queue.unfinished_tasks

    def close(self) -> None:
        """Write what is left and stop."""
        if self._thread.is_alive():
            self._queue.put(_Sign.STOP)
            self._thread.join()

    def _write(self) -> None:
        open_ = True
        while open_:
            batch, taken, open_ = self._gathered()
            if batch:
                self._persist(batch)
            self._waiting.difference_update(event.request for event in batch)
            for _ in range(taken):
                self._queue.task_done()
            self._metrics.waiting.set(self._queue.qsize())

    def _gathered(self) -> tuple[list[Event], int, bool]:
        """What came within the time of one transaction, how much was taken off the queue for it, and whether to go on."""
        batch: list[Event] = []
        taken, until = 0, float("inf")
        while len(batch) < _BATCH:
            try:
                one = self._queue.get(timeout=max(0.0, until - time.monotonic()) if batch else None)
            except queue.Empty:
                break
            taken += 1
            if isinstance(one, _Sign):
                return batch, taken, one is not _Sign.STOP
            batch.append(one)
            until = min(until, time.monotonic() + _GATHER)
        return batch, taken, True

    def _persist(self, batch: Sequence[Event]) -> None:
        for pause in (*_PATIENCE, None):
            try:
                self._record(batch)
            except (ShopkeeperError, OSError) as error:
                log.warning("impressions not written yet", extra={"count": len(batch)}, exc_info=error)
                if pause is not None:
                    time.sleep(pause)
            else:
                self._metrics.impressions.labels("written").inc(len(batch))
                return
        self._metrics.impressions.labels("lost").inc(len(batch))
        log.error("impressions lost", extra={"count": len(batch)})
