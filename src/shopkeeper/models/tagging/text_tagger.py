"""Finds mentions in texts, whatever computes the scores of their tags: PyTorch, an ONNX graph, or a table of clues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from shopkeeper.models.tagging.spans import Mention, from_bio
from shopkeeper.models.tagging.viterbi import Bools, Chain
from shopkeeper.models.text import Floats


class Member(Protocol):
    """One of the models whose scores are averaged."""

    @property
    def name(self) -> str:
        """``backbone`` or ``linear``."""
        ...

    @property
    def tags(self) -> Sequence[str]:
        """The k tags, as `spans.tag_names` gives them."""
        ...

    @property
    def weight(self) -> float:
        """How much it counts among others."""
        ...

    @property
    def chain(self) -> Chain:
        """What tags score at the ends and after one another."""
        ...

    def emissions(self, texts: Sequence[str]) -> tuple[Floats, Bools]:
        """Scores of each tag at each character, float32 (n, c, k), and which characters were read, (n, c).

        Args:
            texts: n of them, none empty.
        """
        ...


@dataclass(frozen=True, slots=True)
class Scores:
    """Emissions of some texts.

    Attributes:
        rows: Places of these texts in the caller's list.
        emissions: Of each member, float32 (n, c, k).
        seen: (n, c), True at the characters that all members read.
    """

    rows: Sequence[int]
    emissions: Sequence[Floats]
    seen: Bools


class TextTagger:
    """Finds mentions in texts with one model, or with several whose scores, transitions included, are averaged.

    Args:
        members: All with the same tags.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = list(members)
        self.tags = list(members[0].tags)

    def tag(self, texts: Sequence[str], batch: int = 64) -> list[list[Mention]]:
        """The mentions of each text, in order of their place."""
        found: list[list[Mention]] = [[] for _ in texts]
        for part in scored(self.members, texts, batch):
            for row, mentions in zip(part.rows, decoded(self.members, part), strict=True):
                found[row] = mentions
        return found


def scored(members: Sequence[Member], texts: Sequence[str], batch: int = 64) -> Iterator[Scores]:
    """Emissions of all members for texts that have a character at all, those of similar length together."""
    order = sorted((at for at, text in enumerate(texts) if text), key=lambda at: -len(texts[at]))
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        parts = [member.emissions([texts[at] for at in rows]) for member in members]
        shortest = min(seen.shape[1] for _, seen in parts)  # readers may cut long texts at different places
        seen: Bools = np.logical_and.reduce([own[:, :shortest] for _, own in parts])
        yield Scores(rows, [emissions[:, :shortest] for emissions, _ in parts], seen)


def decoded(members: Sequence[Member], scores: Scores) -> list[list[Mention]]:
    """The mentions of each text by the members' weighted scores."""
    shares = [np.float32(member.weight) for member in members]
    chains = [member.chain for member in members]
    together = Chain(
        _weighted(shares, [chain.start for chain in chains]),
        _weighted(shares, [chain.end for chain in chains]),
        _weighted(shares, [chain.moves for chain in chains]),
    )
    tags = members[0].tags
    paths = together.best(_weighted(shares, scores.emissions), scores.seen)
    return [from_bio([tags[tag] for tag in path]) for path in paths]


def _weighted(shares: Sequence[np.float32], arrays: Sequence[Floats]) -> Floats:
    total: Floats = np.sum([share * array for share, array in zip(shares, arrays, strict=True)], axis=0)
    return total
