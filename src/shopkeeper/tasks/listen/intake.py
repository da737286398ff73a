"""Posts on their way in: cleaned, on disk before they are acknowledged, and waiting in a bounded queue to be read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shopkeeper.errors import InputError, StoreError
from shopkeeper.records import Passage, now
from shopkeeper.store.documents import READ
from shopkeeper.store.feeds import values
from shopkeeper.store.protocols import Words
from shopkeeper.store.words import encode

LONGEST: Final = 100_000
"""Characters of a post that are kept."""
SKEW: Final = timedelta(minutes=5)
"""How far ahead of our clock a post may be; one further ahead is dated now."""


class BusyError(StoreError):
    """More posts wait to be read than may."""

    retry_after = 5
    """Seconds after which to try again."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch of posts.

    Attributes:
        new: Posts that were not there, or had other words.
        repeated: Posts that were there already; nothing changed.
    """

    new: int
    repeated: int


class Queue:
    """Posts that wait to be read, by id, oldest first; a post that waits already is replaced.

    Args:
        most: Posts that may wait. A batch that is larger is taken while none wait.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._posts: dict[str, Passage] = {}
        self._promised = 0
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        """How many wait or have been promised a place."""
        with self._changed:
            return len(self._posts) + self._promised

    def reserve(self, count: int) -> None:
        """Promise places to posts that are about to be written; `put` or `release` follows.

        Raises:
            BusyError: There is no room for so many.
        """
        with self._changed:
            waiting = len(self._posts) + self._promised
            if count and waiting and waiting + count > self._most:
                raise BusyError(
                    f"{waiting} posts wait to be read already.",
                    where="listen.queue",
                    cure="Send them again in a few seconds.",
                )
            self._promised += count

    def release(self, count: int) -> None:
        """Take back the promise of `count` places."""
        with self._changed:
            self._promised -= count

    def put(self, posts: Sequence[Passage], reserved: int) -> None:
        """Let posts wait, in the places that were promised."""
        with self._changed:
            self._promised -= reserved
            self._posts.update((post.id, post) for post in posts)
            self._changed.notify_all()

    def take(self, most: int, seconds: float) -> list[Passage]:
        """The next posts, waiting up to `seconds` for one; none when time is up or the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._posts or self._closed, seconds)
            chosen = [] if self._closed else list(self._posts.values())[:most]
            for post in chosen:
                del self._posts[post.id]
            return chosen

    def drop(self, keep: Callable[[Passage], bool]) -> None:
        """Let those go that `keep` does not want."""
        with self._changed:
            self._posts = {post.id: post for post in self._posts.values() if keep(post)}

    def close(self) -> None:
        """Wake whoever waits; nothing is handed out any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def fresh(words: Words, posts: Iterable[Passage]) -> tuple[list[Passage], int]:
    """Posts that are not there word for word, cleaned and dated, and how many are; of several with one id the last counts.

    Raises:
        InputError: A post cannot be kept, or its id belongs to a text of another kind.
    """
    given = list(posts)
    once = {post.id: cleaned(post) for post in given}
    known = words.get(list(once))
    for place, post in enumerate(once.values()):
        if (before := known.get(post.id)) is not None and before.kind not in READ:
            raise InputError(
                f"The id {post.id!r} belongs to a {before.kind.value}.",
                where=f"posts.{place}.id",
                cure="Use another id.",
            )
    moment = now()
    dated = [_dated(post, known.get(post.id), moment) for post in once.values()]
    new = [post for post in dated if known.get(post.id) != post]
    for post in new:
        encode(post)
    return new, len(given) - len(new)


def take(words: Words, queue: Queue, posts: Iterable[Passage]) -> Taken:
    """Write posts and let them wait to be read; they are on disk when this returns.

    Raises:
        BusyError: Too many wait; nothing was written.
        InputError: As `fresh`; nothing was written.
    """
    new, repeated = fresh(words, posts)
    queue.reserve(len(new))
    try:
        words.put(new)
    except BaseException:
        queue.release(len(new))
        raise
    queue.put(new, len(new))
    return Taken(len(new), repeated)


def cleaned(post: Passage) -> Passage:
    """The post without markup and control characters, cut to 100,000 characters."""
    return replace(
        post,
        text=values.paragraph(post.text[: 4 * LONGEST])[:LONGEST],
        title=values.line(post.title[:2_000]),
        author=values.line(post.author[:500]),
        source=values.token(post.source[:500]),
    )


def _dated(post: Passage, before: Passage | None, moment: datetime) -> Passage:
    if post.time is None:
        return replace(post, time=before.time if before is not None and before.time is not None else moment)
    if post.time > moment + SKEW:
        known = before is not None and before.time is not None
        return replace(post, time=before.time if known and before is not None else moment)
    return post
