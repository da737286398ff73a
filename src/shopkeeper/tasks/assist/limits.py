"""What the assistant reads of what it is sent, and how much of it in a minute."""

from __future__ import annotations

import threading
import unicodedata
from collections import OrderedDict, deque
from typing import Final

LONGEST: Final = 2_000
"""Characters of a turn that are read."""
_KEPT: Final = 20_000
"""Conversations and customers whose pace is remembered."""
_MINUTE: Final = 60.0


def readable(text: str) -> tuple[str, bool]:
    r"""What is read of a text, and whether some of it was cut off.

    Control characters become blanks, invisible ones go; lines stay.

    >>> readable(" Hello\x00\u202e\n there ")
    ('Hello\n there', False)
    """
    head = text[: 4 * LONGEST]
    seen = "".join(_seen(letter) for letter in head).strip()
    return seen[:LONGEST].rstrip(), len(seen) > LONGEST or len(text) > len(head)


def _seen(letter: str) -> str:
    if letter == "\n" or letter.isprintable():
        return letter
    kind = unicodedata.category(letter)
    return " " if kind in ("Cc", "Zs", "Zl", "Zp") else ""


class Pace:
    """Turns of the last minute, by conversation and customer. Any number of threads.

    Args:
        most: Turns a minute.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._turns: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, names: list[str], moment: float) -> float:
        """Seconds until another turn of all of `names` is taken; 0 takes it now.

        Args:
            names: Conversation and customer; empty ones do not count.
            moment: A clock that never goes back, in seconds.
        """
        with self._lock:
            known = [self._turns.setdefault(name, deque(maxlen=self._most)) for name in dict.fromkeys(names) if name]
            waits = [turns[0] + _MINUTE - moment for turns in known if len(turns) == self._most]
            longest = max(waits, default=0.0)
            if longest > 0:
                return longest
            for turns in known:
                turns.append(moment)
            for name in names:
                if name:
                    self._turns.move_to_end(name)
            while len(self._turns) > _KEPT:
                self._turns.popitem(last=False)
            return 0.0

    def forget(self, name: str) -> None:
        """Let go of a name."""
        with self._lock:
            self._turns.pop(name, None)
