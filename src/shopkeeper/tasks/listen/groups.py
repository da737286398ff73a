"""Topics that nobody named: posts gathered by their vectors as they come, and named by their own words."""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from shopkeeper.errors import ModelError
from shopkeeper.models.text import Floats

NEAR: Final = 0.55
"""Cosine from which on a post belongs to a group; one in a thousand pairs of unrelated reviews has more."""
GROWN: Final = 8
"""Posts from which on a group is a topic."""
_SLOWEST: Final = 200
_WORDS, _OVERALL = 120, 50_000


@dataclass(slots=True)
class _Group:
    id: str
    size: int
    touched: int
    words: Counter[str]


class Groups:
    """Leader clustering of unit vectors: a post joins the nearest group, or begins one.

    A group's middle moves with each post that joins, ever more slowly, and keeps moving a little so that a topic may
    drift. Ids are never given twice, so series of discovered topics stay apart. There are at most `most` groups: the one
    that was joined longest ago among the small ones makes room.

    Args:
        dimension: Length of the vectors.
        most: Groups that are kept.
    """

    def __init__(self, dimension: int, most: int = 400) -> None:
        self._middles = np.zeros((most, dimension), dtype=np.float32)
        self._groups: list[_Group] = []
        self._given = 0
        self._clock = 0
        self._overall: Counter[str] = Counter()

    def join(self, vectors: Floats, words: Sequence[Sequence[str]], fresh: Sequence[bool]) -> list[str]:
        """The discovered topic of each post, empty where its group is still small.

        Args:
            vectors: float32 (n, d); a zero row joins nothing.
            words: What each post says, for the names.
            fresh: False for a post that repeats an earlier one: it finds its group and does not feed it.
        """
        found = [""] * len(words)
        for row in np.flatnonzero(np.linalg.norm(vectors, axis=1) > 0).tolist():
            self._clock += 1
            likeness = self._middles[: len(self._groups)] @ vectors[row]
            place = int(likeness.argmax()) if likeness.max(initial=-1.0) >= NEAR else None
            if fresh[row]:
                place = self._feed(place, vectors[row], words[row])
            if place is not None and self._groups[place].size >= GROWN:
                found[row] = self._groups[place].id
        return found

    def names(self, ids: Sequence[str] = (), most: int = 3) -> dict[str, str]:
        """Names of the topics among `ids`, or of all: the words that tell them from the others.

        Class-based TF-IDF (Grootendorst 2022): share of the word in the group times log(1 + mean words of a group over
        how often the word occurs in all).
        """
        grown = [group for group in self._groups if group.size >= GROWN and (not ids or group.id in ids)]
        mean = sum(self._overall.values()) / max(1, len(self._groups))
        named = {}
        for group in grown:
            scored = {
                word: count * np.log1p(mean / max(1, self._overall[word]))
                for word, count in group.words.items()
                if count > 1
            }
            best = sorted(scored, key=lambda word: (-scored[word], word))
            kept: list[str] = []
            for word in best:
                if len(kept) < most and not any(word in other or other in word for other in kept):
                    kept.append(word)
            named[group.id] = " · ".join(kept) or group.id
        return named

    def save(self, path: Path) -> None:
        """Write everything beside `path` and rename it: whole or not at all."""
        about = [[g.id, g.size, g.touched, dict(g.words)] for g in self._groups]
        state = {"given": self._given, "clock": self._clock, "groups": about, "overall": dict(self._overall)}
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            arrays = {"middles": self._middles[: len(self._groups)]}
            save_file(arrays, aside, {"state": orjson.dumps(state).decode()})
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path, dimension: int, most: int = 400) -> Groups:
        """What `save` wrote; empty where there is no file, or one of other vectors.

        Raises:
            ModelError: The file is damaged.
        """
        groups = cls(dimension, most)
        if not path.is_file():
            return groups
        try:
            middles, state = load_file(path)["middles"], _state_of(path)
            told = [_Group(str(i), int(n), int(t), Counter(w)) for i, n, t, w in state["groups"]]
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            raise ModelError(
                f"The discovered topics cannot be read: {error}.",
                where=os.fspath(path),
                cure="Delete the file; they begin anew.",
            ) from error
        if len(told) == len(middles) <= most and (not len(middles) or middles.shape[1] == dimension):
            groups._middles[: len(middles)] = middles
            groups._groups, groups._overall = told, Counter(state["overall"])
        groups._given, groups._clock = int(state["given"]), int(state["clock"])
        return groups

    def _feed(self, place: int | None, vector: Floats, words: Sequence[str]) -> int:
        if place is None:
            place = self._begin()
            self._middles[place] = vector
        group = self._groups[place]
        group.size += 1
        group.touched = self._clock
        middle = self._middles[place] + (vector - self._middles[place]) / min(group.size, _SLOWEST)
        self._middles[place] = middle / max(1e-6, float(np.linalg.norm(middle)))
        group.words.update(words)
        self._overall.update(words)
        if len(group.words) > 2 * _WORDS:
            group.words = Counter(dict(group.words.most_common(_WORDS)))
        if len(self._overall) > _OVERALL:
            self._overall = Counter(dict(self._overall.most_common(_OVERALL // 2)))
        return place

    def _begin(self) -> int:
        self._given += 1
        new = _Group(f"found-{self._given}", 0, self._clock, Counter())
        if len(self._groups) < len(self._middles):
            self._groups.append(new)
            return len(self._groups) - 1
        small = [place for place, group in enumerate(self._groups) if group.size < GROWN]
        place = min(small or range(len(self._groups)), key=lambda one: self._groups[one].touched)
        self._groups[place] = new
        return place


def _state_of(path: Path) -> Mapping[str, Any]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        state: Mapping[str, Any] = orjson.loads(file.metadata()["state"])
    return state
