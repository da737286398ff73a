"""Dialogues with the service assistant whose right answers are known: what must be said, shown and done, and what must not.

Phrasings come from two data files that share none: ``service_dev`` to find and mend causes of failure on, and
``service_test`` to report once. What they speak of (orders, items, wishes) is drawn from the shop by a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from shopkeeper.practice.dialogues import lines_of
from shopkeeper.practice.service_cases import Case, Step
from shopkeeper.practice.service_writer import Writer
from shopkeeper.practice.shop import Practice
from shopkeeper.practice.vocabulary import LANGUAGES

__all__ = ["PER_LANGUAGE", "Case", "Step", "cases"]

PER_LANGUAGE: Final = 150
_SHARES: Final[Mapping[str, int]] = {
    "house": 36, "track": 12, "anonymous": 2, "others": 4, "cancel": 8, "too_late_to_cancel": 5, "give_back": 7,
    "too_late_to_return": 4, "address": 4, "address_later": 3, "which": 4, "declined": 3, "dropped": 3, "yes_to_nothing": 2,
    "attribute": 10, "price": 4, "stock": 4, "feature": 5, "use": 2, "review": 3, "compare": 5, "wish": 9, "wish_below": 3,
    "outside": 6, "human": 5, "angry": 2, "crisis": 1, "injection": 4, "medical": 2, "smalltalk": 4,
}  # fmt: skip
"""Dialogues of each matter among the 166 that are made for a language; `cases` keeps 150 of them, by the seed."""


def cases(practice: Practice, split: str = "test", seed: int = 11) -> tuple[Case, ...]:
    """300 dialogues, half of them Chinese.

    Args:
        practice: The shop that they take place in.
        split: ``test`` or ``dev``: whose phrasings.
        seed: What they speak of follows from it.
    """
    found: list[Case] = []
    for side, language in enumerate(LANGUAGES):
        writer = Writer(practice, lines_of(f"service_{split}")[language], side, np.random.default_rng([seed, side]))
        made = [(matter, number) for matter, count in _SHARES.items() for number in range(count)]
        order = writer.rng.permutation(len(made))[:PER_LANGUAGE]
        for place in sorted(order.tolist()):
            matter, number = made[place]
            case = writer.write(matter, number)
            found.append(replace(case, id=f"{split}-{language}-{matter}-{number + 1}", matter=matter))
    return tuple(found)
