"""What was shown is written down behind the answer's back: a bounded queue and one writer thread.

A full queue makes answers wait (a lost impression would bias everything learnt from clicks); a clean stop writes all.
"""

from __future__ import annotations

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


class ImpressionLog:
    """Writes impressions in batches.

    Args:
        record: Writes events durably; called from one thread only.
        capacity: Impressions that may wait.
    """

    def __init__(self, record: Callable[[Sequence[Event]], int], metrics: Metrics, capacity: int = 10_000) -> None:
        self._record = record
        self._metrics = metrics
        self._queue: queue.Queue[Event | None] = queue.Queue(capacity)
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
        self._queue.put(answer.shown(EventKind.IMPRESSION, properties))
        self._metrics.waiting.set(self._queue.qsize())

    def flush(self, seconds: float = 10.0) -> bool:
        """Wait until all that was added so far is written; False when it took too long."""
        limit = time.monotonic() + seconds
        while self._queue.unfinished_tasks and time.monotonic() < limit:
            time.sleep(0.002)
        return not self._queue.unfinished_tasks

    def close(self) -> None:
        """Write what is left and stop."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _write(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, until = [first], time.monotonic() + _GATHER
            while len(batch) < _BATCH:
                try:
                    event = self._queue.get(timeout=max(0.0, until - time.monotonic()))
                except queue.Empty:
                    break
                if event is None:
                    self._queue.put(None)
                    self._queue.task_done()
                    break
                batch.append(event)
            self._persist(batch)
            for _ in batch:
                self._queue.task_done()
            self._metrics.waiting.set(self._queue.qsize())

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
