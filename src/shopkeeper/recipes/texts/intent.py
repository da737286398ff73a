"""What customers of this shop want: the shipped examples, and what its people decided about real messages.

Labels come from the review queue, task ``intent``: one name or several with blanks between them, names of the shop's own
included; ``outside`` for messages that are about nothing a shop deals with. Each label is read once by a model that has
not seen it, before (shipped examples alone) and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.classification import auc
from shopkeeper.evaluation.spans import f1_interval, micro_f1, span_counts
from shopkeeper.models.bundle import Bundle, save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.intent_fitting import BLEND, PENALTY, fit_intents
from shopkeeper.models.intent_seeds import OUTSIDE, seeds
from shopkeeper.models.intents import Encode, IntentModel
from shopkeeper.models.serving import Encoders
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.tasks.assist.reading import INTENT

_FEWEST: Final = 20
_FOLDS: Final = 5
_LONGEST: Final = 2_000


@dataclass(frozen=True, slots=True)
class Examples:
    """n messages and the intents of each; none for messages that are about something else."""

    texts: Sequence[str]
    wanted: Sequence[tuple[str, ...]]

    def __len__(self) -> int:
        """Number of messages."""
        return len(self.texts)

    def take(self, rows: NDArray[np.int64]) -> Examples:
        """Some of them."""
        return Examples([self.texts[row] for row in rows.tolist()], [self.wanted[row] for row in rows.tolist()])

    def __add__(self, others: Examples) -> Examples:
        """These, then the others."""
        return Examples([*self.texts, *others.texts], [*self.wanted, *others.wanted])


def shipped_examples() -> Examples:
    """Those that come with the software."""
    known = seeds()
    return Examples([seed.text for seed in known], [seed.intents for seed in known])


def decided_examples(store: Store) -> Examples:
    """What people decided about messages, each text once, the latest decision."""
    found = {
        decision.text[:_LONGEST]: tuple(sorted(set(decision.label.replace(",", " ").split()) - {OUTSIDE}))
        for decision in store.labels.decided(INTENT)
        if decision.text.strip()
    }
    return Examples(list(found), list(found.values()))


def train_intent(store: Store, settings: Settings, folder: Path, encoders: Encoders, *, parent: str = "") -> Bundle:
    """Learn intents from the shipped examples and the shop's labels, and save them as a bundle with a card.

    Args:
        store: Whose labels teach.
        settings: The seed is taken from them.
        folder: Where the bundle goes; must not exist.
        encoders: The running shop's: the bundle holds for this encoder only.
        parent: Version that this one follows.

    Raises:
        TrainingError: There are fewer than twenty labels.
    """
    own, shipped, seed = decided_examples(store), shipped_examples(), settings.compute.seed
    if len(own) < _FEWEST:
        raise TrainingError(
            f"There are {len(own)} decided messages; learning needs {_FEWEST}. Until then the shipped examples serve.",
            where=INTENT,
            cure="Correct intents at the desk, or decide more questions of the review queue.",
        )
    encode = encoders.passage.encode
    before, after = compared(own, shipped, encode, seed)
    together = shipped + own
    model = fit_intents(together.texts, together.wanted, encode, seed=seed)
    arrays, values = model.save()
    card = Card(
        task=INTENT,
        name=f"Intents: {len(model.names)} of them",
        parent=parent,
        data={"shipped": len(shipped), "decided": len(own), "intents": list(model.names)},
        settings={"blend": BLEND, "penalty": PENALTY, "encoder": encoders.query.name, "folds": _FOLDS},
        seed=seed,
        before={"decided": before},
        after={"decided": after},
        notes="Before: shipped examples alone. After: with the decided messages of the other folds as well.",
    )
    return save_bundle(folder, card, arrays=arrays, parameters=values | {"encoder": encoders.query.name})


def compared(own: Examples, shipped: Examples, encode: Encode, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Marks on the shop's messages without and with the shop's messages of other folds."""
    plain = fit_intents(shipped.texts, shipped.wanted, encode, seed=seed)
    fold = np.random.default_rng(seed).permutation(len(own)) % _FOLDS
    held = [np.flatnonzero(fold == number) for number in range(_FOLDS)]
    before, after = _Read(), _Read()
    for rows in held:
        part = own.take(rows)
        rest = shipped + own.take(np.setdiff1d(np.arange(len(own)), rows))
        before.add(plain, part)
        after.add(fit_intents(rest.texts, rest.wanted, encode, seed=seed), part)
    return before.marks(), after.marks()


class _Read:
    """Intents as they were read, beside the truth."""

    def __init__(self) -> None:
        self._wanted: list[set[str]] = []
        self._found: list[set[str]] = []
        self._best: list[bool] = []
        self._outside: list[float] = []

    def add(self, model: IntentModel, part: Examples) -> None:
        read = model.read(part.texts)
        for wanted, chances, outside in zip(part.wanted, read.chances, read.outside, strict=True):
            self._wanted.append(set(wanted))
            given = np.flatnonzero(chances >= model.threshold).tolist() if outside < 0.5 else []
            self._found.append({model.names[at] for at in given})
            self._outside.append(float(outside))
            if wanted:
                self._best.append(model.names[int(chances.argmax())] in wanted)

    def marks(self) -> dict[str, Any]:
        counts = span_counts(self._wanted, self._found)
        low, high = f1_interval(counts)
        marks: dict[str, Any] = {
            "micro_f1": {"value": micro_f1(counts), "low": low, "high": high},
            "accuracy": float(np.mean(self._best)) if self._best else float("nan"),
        }
        foreign = [not wanted for wanted in self._wanted]
        if any(foreign) and not all(foreign):
            marks["outside_auc"] = auc(foreign, self._outside)
        return marks
