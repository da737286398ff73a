"""Pictures that the shop should look at: of another thing than the words say, twice for two products, or not to be opened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.pictures.gallery import Shots
from shopkeeper.models.pictures.modes import glimpses
from shopkeeper.models.text import Floats
from shopkeeper.records import Item
from shopkeeper.retrieval.looks import Looks

_SAMPLE = 2_000
"""Pictures that an item's own is held against."""
_WRONG = 0.3
"""Share of other pictures that must fit an item's words better than its own for that one to be suspected."""
_MOST = 200
_BITS, _BANDS = 3, 4
"""Bits in which near copies may differ; as many bands less one may then differ, so that one is equal."""
_SAME, _TINT = 0.97, 0.9
"""Cosine of the encoder's vectors, and Bhattacharyya coefficient of the colours, that near copies have at least."""

_SAID: Mapping[str, tuple[str, str]] = {
    "wrong": ("Words and picture disagree", "文字与图片不符"),
    "copy": ("The same picture as another product", "与其他商品图片相同"),
    "unread": ("The picture cannot be opened", "图片无法打开"),
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """A picture to look at.

    Attributes:
        kind: ``wrong``, ``copy`` or ``unread``.
        item: Whose picture it is.
        other: The other product that has it, for copies; the file, where it cannot be opened.
        score: How sure this is, in [0, 1]: for wrong ones the share of other pictures that fit the words better.
    """

    kind: str
    item: str
    other: str
    score: float

    @property
    def text(self) -> Mapping[str, str]:
        """What is the matter, by language."""
        english, chinese = _SAID[self.kind]
        return {"en": english, "zh": chinese}


def doubts(items: Sequence[Item], text: Floats, looks: Looks, seed: int = 7) -> list[Doubt]:
    """All pictures to look at: those that cannot be opened, then copies, then those that disagree with the words, worst first.

    Args:
        items: All items of the shop.
        text: float32 (n, t), encoder vectors of their passages.
        looks: What was learnt of the shop's pictures.
        seed: Of the sample that pictures are held against.
    """
    shots = looks.gallery.shots(items)
    return [*_unread(items, shots, looks), *_copies(items, shots), *_wrong(items, text, shots, looks, seed)]


def surprise(text: Floats, picture: Floats, others: Floats) -> NDArray[np.float64]:
    """Share of other pictures that fit an item's words better than its own: float64 (n,).

    Args:
        text: float32 (n, d), where the words of items lie among pictures.
        picture: float32 (n, d), where their pictures lie.
        others: float32 (m, d), pictures to compare with.
    """
    own = np.sum(text * picture, axis=1, keepdims=True)
    return np.asarray(np.mean(text @ others.T > own, axis=1), dtype=np.float64)


def _unread(items: Sequence[Item], shots: Shots, looks: Looks) -> Iterator[Doubt]:
    seen = np.bincount(shots.item[~shots.moving], minlength=len(items))
    for row, item in enumerate(items):
        files = [path for path, moving in looks.gallery.files(item) if not moving]
        if len(files) > seen[row]:
            yield Doubt("unread", item.id, files[0].name, 1.0)


def _copies(items: Sequence[Item], shots: Shots) -> list[Doubt]:
    """Main pictures of different products that are the same but for size, compression and light."""
    first = shots.first
    signs, vectors, owner = shots.signs[first], shots.vectors[first], shots.item[first]
    colours = shots.colours[first]
    width = 64 // _BANDS
    near: set[tuple[int, int]] = set()
    for band in range(_BANDS):
        alike: defaultdict[int, list[int]] = defaultdict(list)
        pieces = (signs >> np.uint64(band * width)) & np.uint64((1 << width) - 1)
        for place, piece in enumerate(pieces.tolist()):
            alike[piece].append(place)
        for places in alike.values():
            near |= _pairs(np.array(places), signs, vectors, colours)
    found = [
        Doubt("copy", items[owner[a]].id, items[owner[b]].id, float(vectors[a] @ vectors[b]))
        for a, b in sorted(near)
        if not items[owner[a]].group or items[owner[a]].group != items[owner[b]].group
    ]
    return sorted(found, key=lambda doubt: -doubt.score)[:_MOST]


def _pairs(
    places: NDArray[np.int64], signs: NDArray[np.uint64], vectors: Floats, colours: Floats
) -> set[tuple[int, int]]:
    """Pairs among some pictures whose signs, vectors and colours all say that they are copies."""
    found: set[tuple[int, int]] = set()
    for number, place in enumerate(places[:-1].tolist()):
        rest = places[number + 1 :][:_SAMPLE]
        apart = np.bitwise_count(signs[rest] ^ signs[place])
        same = (vectors[rest] @ vectors[place] >= _SAME) & (colours[rest] @ colours[place] >= _TINT)
        found |= {(place, other) for other in rest[(apart <= _BITS) & same].tolist()}
    return found


def _wrong(items: Sequence[Item], text: Floats, shots: Shots, looks: Looks, seed: int) -> list[Doubt]:
    first = shots.first
    if not len(first):
        return []
    owner = shots.item[first]
    placed = looks.sight.picture(glimpses(shots)[first])
    sample = np.random.default_rng(seed).permutation(len(first))[:_SAMPLE]
    share = surprise(looks.sight.text(text[owner]), placed, placed[sample])
    worst = np.argsort(-share, kind="stable")[:_MOST]
    return [
        Doubt("wrong", items[owner[row]].id, "", float(share[row])) for row in worst.tolist() if share[row] >= _WRONG
    ]
