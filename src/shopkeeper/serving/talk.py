"""Between the event loop and the assistant: turns are answered whole or in pieces, at a pace, in threads of their own."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from fastapi import Request
from starlette.exceptions import HTTPException

from shopkeeper.errors import NotFoundError
from shopkeeper.serving.desk import Desk
from shopkeeper.tasks.assist.limits import Pace
from shopkeeper.tasks.assist.memory import SOURCE, Transcript
from shopkeeper.tasks.assist.turns import Reply, Turn

if TYPE_CHECKING:
    from shopkeeper.tasks.shop import Shop

LONGEST: Final = 4_000
"""Characters that a message may have."""
_THREADS: Final = 8
_PING: Final = 15.0  # seconds after which a silent stream says that it still lives


class Talk:
    """Gives turns to the assistant.

    It has threads of its own, because a generator may think for seconds, which no search should wait for.

    Args:
        desk: Of the application; what a reply recommends is noted there as shown.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._pace = Pace(desk.shop.settings.assist.rate_per_minute)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="assist")

    def admit(self, turn: Turn) -> None:
        """Let a turn in, or refuse it. Reads the store.

        Raises:
            NotFoundError: The assistant is switched off, or the conversation is another customer's.
            HTTPException: 429, too many turns of this customer or conversation within a minute.
        """
        self.own(turn.conversation, turn.customer)
        wait = self._pace.wait([f"conversation:{turn.conversation}", turn.customer], time.monotonic())
        if wait > 0:
            raise HTTPException(429, "Too many turns within a minute.", {"Retry-After": str(math.ceil(wait))})

    def own(self, conversation: str, customer: str) -> Transcript:
        """A conversation, for the customer whose it is; raises what `own` raises."""
        return own(self._desk.shop, conversation, customer)

    def transcript(self, conversation: str) -> Transcript:
        """A conversation, whosever it is; raises what `transcript` raises."""
        return transcript(self._desk.shop, conversation)

    async def answer(self, turn: Turn) -> Reply:
        """The reply to a turn that was let in."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._answer, turn)

    async def stream(self, turn: Turn) -> AsyncIterator[str | Reply]:
        """The reply piece by piece, the `Reply` last; an empty piece says that the assistant is still at it.

        Where the listener goes away, the assistant is stopped after the piece that it is at.
        """
        pieces = _Pieces(self._desk.shop.assist_stream(turn))
        try:
            while True:
                next_one = asyncio.wrap_future(self._pool.submit(pieces.next))
                while not (await asyncio.wait({next_one}, timeout=_PING))[0]:
                    yield ""
                piece = next_one.result()
                if piece is None:
                    return
                if isinstance(piece, Reply):
                    await self._desk.run(self._desk.replied, piece)
                yield piece
        finally:
            self._pool.submit(pieces.close)

    def close(self) -> None:
        """Finish what was begun."""
        self._pool.shutdown(wait=True)

    def _answer(self, turn: Turn) -> Reply:
        reply = self._desk.shop.assist(turn)
        self._desk.replied(reply)
        return reply


def talk_of(request: Request) -> Talk:
    """The talk of the application that serves this request."""
    talk: Talk = request.app.state.talk
    return talk


def own(shop: Shop, conversation: str, customer: str) -> Transcript:
    """The last turns of a conversation, for the customer whose it is; a stranger's belongs to whoever knows its id.

    Raises:
        NotFoundError: As for `transcript`, or the conversation is another customer's; that it exists is not said.
    """
    found = transcript(shop, conversation)
    if {passage.customer for passage in found.passages} - {"", customer}:
        raise unknown(conversation)
    return found


def transcript(shop: Shop, conversation: str) -> Transcript:
    """The last turns of a conversation, whosever it is; without any where it is unknown.

    Raises:
        NotFoundError: The assistant is switched off, or the turns are of another dialogue that the shop keeps.
    """
    settings = shop.settings.assist
    if not settings.enabled:
        raise NotFoundError("This shop has no assistant.", where="assist.enabled", cure="Set assist.enabled = true.")
    found = Transcript(shop.store.words, conversation, settings.turns)
    if any(passage.source != SOURCE for passage in found.passages):
        raise unknown(conversation)
    return found


def unknown(conversation: str) -> NotFoundError:
    """That there is no such conversation, or none for whoever asks."""
    return NotFoundError("There is no such conversation.", where=conversation, cure="Begin a new one without an id.")


class _Pieces:
    """A stream that one thread at a time pulls from, and another may close."""

    def __init__(self, stream: Iterator[str | Reply]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def next(self) -> str | Reply | None:
        """The next piece, None at the end."""
        with self._lock:
            return next(self._stream, None)

    def close(self) -> None:
        """Pull no more."""
        close = getattr(self._stream, "close", None)
        with self._lock:
            if close is not None:
                close()
