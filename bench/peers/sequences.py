"""What `next-peers` and a recommender under test tell each other: sequences in, ten items a user out, in files of one folder.

The bench writes ``exam.json``: every user's items in the order of time without the last one, which is asked for. The item
before it is there for choosing settings: a recommender learns from what stands before that one, or, once its settings are
chosen, from everything it was given. It writes ``SYSTEM.json``.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TOP = 10
"""Items named for every user."""
_TOGETHER = 1_000

Scores = Callable[[NDArray[np.int64]], NDArray[np.float32]]
"""Users by number, int64 (n,) -> scores of all items, float32 (n, items)."""
Learner = Callable[[Sequence[Sequence[int]]], Scores]
"""Sequences of all users -> who scores for the same users."""


@dataclass(frozen=True, slots=True)
class Exam:
    """What every recommender is given.

    Attributes:
        items: Number of items; they are numbered from 0, in an order drawn by chance.
        past: Items of every user, oldest first; the last one is the validation item.
        minutes: Time that training may take.
        quick: Whether one setting and one epoch are enough.
    """

    items: int
    past: Sequence[Sequence[int]]
    minutes: float
    quick: bool = False

    @property
    def learn(self) -> list[Sequence[int]]:
        """`past` without the validation item."""
        return [sequence[:-1] for sequence in self.past]


@dataclass(frozen=True, slots=True)
class Named:
    """What a recommender named.

    Attributes:
        top: Items of every user, best first.
        seconds: What learning took, with chosen settings.
        rss_mb: Most memory that the process held, in MiB.
        notes: What should stand beside its row.
    """

    top: Sequence[Sequence[int]]
    seconds: float
    rss_mb: float
    notes: str = ""


def write_exam(folder: Path, exam: Exam) -> None:
    """Write what every recommender is given."""
    (folder / "exam.json").write_text(json.dumps(asdict(exam)), encoding="utf-8")


def read_exam(folder: Path) -> Exam:
    """What `write_exam` wrote."""
    return Exam(**json.loads((folder / "exam.json").read_text(encoding="utf-8")))


def write_named(folder: Path, system: str, top: NDArray[np.int64], seconds: float, notes: str = "") -> None:
    """Write what a recommender named, int64 (users, TOP)."""
    named = Named(top.tolist(), seconds, peak_mb(), notes)
    (folder / f"{system}.json").write_text(json.dumps(asdict(named)), encoding="utf-8")


def read_named(folder: Path, system: str) -> Named:
    """What `write_named` wrote."""
    return Named(**json.loads((folder / f"{system}.json").read_text(encoding="utf-8")))


def top(scores: Scores, seen: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """The best items of every user but those seen, int64 (users, TOP)."""
    found = []
    for start in range(0, len(seen), _TOGETHER):
        users = np.arange(start, min(start + _TOGETHER, len(seen)))
        table = np.array(scores(users), dtype=np.float32)
        for row, user in enumerate(users.tolist()):
            table[row, list(seen[user])] = -np.inf
        best = np.argpartition(-table, TOP, axis=1)[:, :TOP]
        order = np.argsort(-np.take_along_axis(table, best, axis=1), axis=1)
        found.append(np.take_along_axis(best, order, axis=1))
    return np.concatenate(found)


def ndcg(best: NDArray[np.int64], wanted: Sequence[int]) -> float:
    """Mean nDCG@10 of one wanted item a user.

    >>> ndcg(np.array([[4, 7], [1, 2]]), [7, 5]) == (1 / np.log2(3)) / 2
    True
    """
    user, place = np.nonzero(best == np.asarray(wanted)[:, None])
    return float((1 / np.log2(place + 2)).sum() / len(wanted)) if len(user) else 0.0


def chosen(folder: Path, system: str, settings: Mapping[str, Learner]) -> None:
    """Choose among settings on the validation items, learn again from everything given, and write what that names.

    `quick` takes the first setting.
    """
    exam = read_exam(folder)
    names = list(settings)[: 1 if exam.quick else None]
    wanted = [sequence[-1] for sequence in exam.past]
    learn = exam.learn
    values = {name: ndcg(top(settings[name](learn), learn), wanted) if len(names) > 1 else 0.0 for name in names}
    best = max(values, key=lambda name: values[name])
    began = time.perf_counter()
    scores = settings[best](exam.past)
    seconds = time.perf_counter() - began
    write_named(
        folder, system, top(scores, exam.past), seconds, f"chosen: {best}; learnt from the validation items as well"
    )


def pairs(sequences: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """User and item of every step, int64 (m,) each."""
    lengths = [len(sequence) for sequence in sequences]
    items = [item for sequence in sequences for item in sequence]
    return np.repeat(np.arange(len(lengths)), lengths), np.array(items, dtype=np.int64)


def peak_mb() -> float:
    """Most memory that this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
