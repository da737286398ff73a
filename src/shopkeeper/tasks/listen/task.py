"""The ear: posts in, readings kept, and what people write about answered from them.

`take` puts posts on disk and into a bounded queue; one thread reads them in batches. What is on disk and was not read,
after a kill or an import by another process, is found there and read next.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, Protocol

import polars as pl

from shopkeeper.errors import NotFoundError, ShopkeeperError
from shopkeeper.models.registry import Registry
from shopkeeper.records import Decision, Passage
from shopkeeper.retrieval.analysis import terms
from shopkeeper.settings import Settings
from shopkeeper.store.database import SqlStore
from shopkeeper.tasks.listen import intake as listen_intake
from shopkeeper.tasks.listen.feedback import answers, check, corrected
from shopkeeper.tasks.listen.intake import Queue, Taken
from shopkeeper.tasks.listen.opening import muted, open_reader, save_groups, saved_groups
from shopkeeper.tasks.listen.reader import Reader, text_of
from shopkeeper.tasks.listen.reading import BY, Reading, reading_of
from shopkeeper.tasks.listen.series import Digest, check_by, digest, heard, series
from shopkeeper.tasks.listen.words import RISKS, names_of, topics_for

log = logging.getLogger(__name__)

BATCH: Final = 500
"""Posts that are read together."""
_IDLE: Final = 1.0
_LOOK, _LOOK_AT_LAST = 30.0, 600.0  # seconds between looks at the disk, without and with posts that come in
_ON_DISK: Final = 5_000
_SAVE: Final = 60.0
_COPIES_KNOWN: Final = timedelta(days=30)


class Watcher(Protocol):
    """Whoever wants to know of readings as they come: the alarms."""

    def observe(self, readings: Iterable[Reading]) -> None:
        """Take up what was just read."""
        ...

    def look(self) -> object:
        """See whether anything rises."""
        ...


class ListenTask:
    """Posts and reviews of a shop, and what was read in them. Methods may be called from many threads.

    Args:
        store: Where posts, readings and decisions are.
        settings: `settings.listen` says what is looked for and how many posts may wait.
        registry: Where learnt models are found.
        watcher: Is told of every batch, in the reading thread.
    """

    def __init__(self, store: SqlStore, settings: Settings, registry: Registry, watcher: Watcher | None = None) -> None:
        self._store, self._settings, self._registry = store, settings, registry
        self.watcher = watcher
        self._queue = Queue(settings.listen.queue)
        self._reading = threading.Lock()
        self._reader: Reader | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._stop = threading.Event()

    @property
    def waiting(self) -> int:
        """Posts that were taken and are not read yet."""
        return len(self._queue)

    def take(self, posts: Iterable[Passage]) -> Taken:
        """Take posts in; they are on disk when this returns and read soon after. See `listen.intake.take`."""
        taken = listen_intake.take(self._store.words, self._queue, posts)
        self.start()
        return taken

    def keep(self, posts: Iterable[Passage]) -> Taken:
        """Take posts in without reading them yet; `catch_up` does, here or in the process that serves."""
        new, repeated = listen_intake.fresh(self._store.words, posts)
        self._store.words.put(new)
        return Taken(len(new), repeated)

    def start(self) -> None:
        """Begin to read in a thread of its own, what is on disk first; does nothing where it reads already."""
        with self._starting:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._work, name="shopkeeper-ear", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Stop reading after the batch in hand; what waits is on disk and is read at the next start."""
        with self._starting:
            self._stop.set()
            self._queue.close()
        if self._thread is not None:
            self._thread.join()
        self._save()

    def catch_up(self) -> int:
        """Read everything that is on disk and was not read, here and now; how many posts."""
        count = 0
        while (posts := self._store.readings.unread(_ON_DISK)) and not self._stop.is_set():
            ids = {post.id for post in posts}
            self._queue.drop(lambda post, ids=ids: post.id not in ids)  # type: ignore[misc]
            for place in range(0, len(posts), BATCH):
                if not self._stop.is_set():
                    count += len(self.read(posts[place : place + BATCH]))
        return count

    def read(self, posts: Sequence[Passage]) -> list[Reading]:
        """Read posts with times now, and keep the readings; those that are not in the store any more are left out.

        Raises:
            InputError: A file of names or topics cannot be read.
        """
        with self._reading:
            if self._reader is None:
                self._reader = open_reader(self._store, self._settings, self._registry)
            known = self._store.words.get([post.id for post in posts])
            readings = _read(self._reader, [post for post in known.values() if post.time is not None])
            self._store.readings.put([reading.document() for reading in readings])
        if self.watcher is not None:
            self.watcher.observe(readings)
            self.watcher.look()
        return readings

    def renew(self) -> None:
        """Take up new models, names and topics from the next batch on."""
        with self._reading:
            if self._reader is not None:
                save_groups(self._reader, self._settings)
            self._reader = None

    @contextmanager
    def forgetting(self, customer: str) -> Iterator[None]:
        """Let go of a customer's posts that wait, and read nothing while they are erased from the store."""
        self._queue.drop(lambda post: post.customer != customer)
        with self._reading:
            yield

    def series(self, by: str, start: datetime, end: datetime, step: timedelta, most: int = 50) -> pl.DataFrame:
        """Counts and feelings over time; see `listen.series.series`."""
        return series(heard(self._store.readings, start, end), by, start, end, step, most)

    def digest(self, start: datetime, end: datetime, by: Sequence[str] = BY, most: int = 8) -> Digest:
        """What stands out in a period, against the one before; see `listen.series.digest`."""
        return digest(heard(self._store.readings, start - (end - start), end), start, end, by, most)

    def posts(
        self,
        start: datetime,
        end: datetime,
        *,
        by: str = "",
        key: str = "",
        words: str = "",
        negative: bool = False,
        copies: bool = False,
        limit: int = 50,
    ) -> list[tuple[Passage, Reading]]:
        """Posts written in [start, end) with what was read in them, newest first.

        Args:
            start: Of the period.
            end: Of the period.
            by: One of `listen.reading.BY`, with `key`: only posts of that series.
            key: Of the series.
            words: Only posts that hold all these words.
            negative: Only complaints.
            copies: Posts that repeat others as well.
            limit: How many at most.

        Raises:
            InputError: `by` is unknown.
        """
        if by:
            check_by(by)
        wanted = set(terms(words))
        readings = (
            reading
            for reading in map(reading_of, self._store.readings.latest(start, end))
            if not reading.muted
            and (not by or key in reading.keys(by))
            and (not negative or reading.negative)
            and (copies or not reading.duplicate_of)
        )
        found: list[tuple[Passage, Reading]] = []
        while len(found) < limit and (part := list(islice(readings, BATCH if wanted else limit - len(found)))):
            known = self._store.words.get([reading.post for reading in part])
            pairs = ((known[reading.post], reading) for reading in part if reading.post in known)
            found += [pair for pair in pairs if not wanted or wanted <= set(terms(text_of(pair[0])))]
        return found[:limit]

    def names(self) -> Mapping[str, tuple[str, str]]:
        """Keys of topics, given and discovered, and of risks, with their English and Chinese names."""
        listen = self._settings.listen
        given = names_of((*RISKS, *topics_for(listen.mode, listen.topics)))
        with self._reading:
            groups = self._reader.groups if self._reader is not None else None
            found = (groups or saved_groups(self._settings)).names()
        return {**given, **{key: (name, name) for key, name in found.items()}}

    def feedback(self, post: str, task: str, label: str, rater: str = "") -> Reading:
        """Note what a human says of a post. It is the post's reading from now on, and teaches the next model.

        Args:
            post: Its id.
            task: ``about`` (label `NOT_US` mutes the post and its copies, ``us`` unmutes), ``sentiment`` (``positive``,
                ``neutral``, ``negative``), ``topic`` (one key or several with bars), ``risk`` or ``event`` (a key).
            label: The answer, one of `listen.feedback.answers`.
            rater: Who says so.

        Raises:
            InputError: The task or the label is unknown, or the file of topics cannot be read.
            NotFoundError: The post was not read.
        """
        check(task, label, answers(task, self._settings.listen, self._registry))
        found = self._store.readings.get([post]).get(post)
        passage = self._store.words.get([post]).get(post)
        if found is None or passage is None:
            raise NotFoundError("No such post was read.", where="post", cure="Use the id of a post.")
        question = Decision(task=task, subject=post, text=text_of(passage), customer=passage.customer)
        self._store.labels.propose([question])
        self._store.labels.decide(task, post, label, rater)
        reading = corrected(reading_of(found), task, label)
        changed = [reading]
        if task == "about":
            window = self._store.readings.scan(reading.time - _COPIES_KNOWN, reading.time + _COPIES_KNOWN)
            copies = [one for one in map(reading_of, window) if one.duplicate_of == post]
            changed += [replace(one, muted=reading.muted) for one in copies]
            with self._reading:
                if self._reader is not None:
                    (self._reader.muted.add if reading.muted else self._reader.muted.discard)(post)
        self._store.readings.put([one.document() for one in changed])
        return reading

    def _work(self) -> None:
        looked = saved = -_LOOK_AT_LAST
        while not self._stop.is_set():
            try:
                posts = self._queue.take(BATCH, _IDLE) if looked >= 0 else []
                if posts:
                    self.read(posts)
                elif self.watcher is not None:
                    self.watcher.look()  # what fell silent ends as well
                if time.monotonic() - looked > (_LOOK_AT_LAST if posts else _LOOK):
                    self._heed()
                    self.catch_up()
                    looked = time.monotonic()
                if time.monotonic() - saved > _SAVE:
                    saved = time.monotonic()
                    self._save()
            except Exception as error:  # whatever it was: what comes next is to be read as well
                log.exception("posts could not be read yet", exc_info=error)
                looked = time.monotonic() - _LOOK + 2  # they are on disk: again in two seconds
                self._stop.wait(_IDLE)

    def _heed(self) -> None:
        """Take up what humans said elsewhere about posts that are not about us."""
        with self._reading:
            if self._reader is not None:
                self._reader.muted = muted(self._store)

    def _save(self) -> None:
        with self._reading:
            if self._reader is not None:
                save_groups(self._reader, self._settings)


def _read(reader: Reader, posts: Sequence[Passage]) -> list[Reading]:
    """Read posts; where one of them breaks the reader, the others are read and that one is kept unread of meaning."""
    try:
        return reader.read(posts)
    except ShopkeeperError:
        raise
    except Exception as error:
        if len(posts) == 1:
            log.exception("a post cannot be read", extra={"post": posts[0].id}, exc_info=error)
            post = posts[0]
            return (
                [] if post.time is None else [Reading(post=post.id, time=post.time, source=post.source, item=post.item)]
            )
        return [reading for post in posts for reading in _read(reader, [post])]
