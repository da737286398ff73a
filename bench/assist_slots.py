"""Several intents in one turn, and what is named in it: NLU++, both domains, learning from one fold or from most of them.

Low data: learn from one fold of twenty and be measured on the others, over some folds. High data: the reverse, learn from
all folds but one fifth. Micro F1 of intents and of slots (exact span and name), all rows of a run put together.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

from bench.contract import Metric, Row
from shopkeeper.evaluation.spans import Counts, f1_interval, micro_f1, span_counts
from shopkeeper.models.intent_fitting import fit_intents
from shopkeeper.models.intents import Encode
from shopkeeper.models.linear import LATIN, Features
from shopkeeper.models.serving import encoders
from shopkeeper.models.tagging.bundle import read_tagger
from shopkeeper.models.tagging.spans import Mention
from shopkeeper.recipes.pair_learning import f1_threshold
from shopkeeper.recipes.texts.tagger import TaggerOptions, train_tagger
from shopkeeper.settings import Settings
from shopkeeper.training.tagging import Marked

Bools = NDArray[np.bool_]
FOLDS: Final = 20
DOMAINS: Final = ("banking", "hotels")
_FIFTH: Final = 4
_MINUTES: Final = 4.0


@dataclass(frozen=True, slots=True)
class Turns:
    """n turns with their intents and what is named in them."""

    texts: Sequence[str]
    intents: Sequence[Sequence[str]]
    slots: Sequence[Sequence[Mention]]
    fold: NDArray[np.int64]

    def take(self, rows: Bools) -> Turns:
        """Those where `rows`, bool (n,), holds."""
        chosen = np.flatnonzero(rows).tolist()
        return Turns(
            [self.texts[at] for at in chosen],
            [self.intents[at] for at in chosen],
            [self.slots[at] for at in chosen],
            self.fold[rows],
        )


def run(data: Path, *, quick: bool = False, seed: int = 7, set: str = "", minutes: float = _MINUTES) -> list[Row]:  # noqa: A002
    """Rows for both amounts of data: intents, then slots.

    Args:
        data: Folder of the public data sets.
        quick: One fold of one domain, no fine-tuning.
        seed: Of the folds that are chosen, and of training.
        set: ``intents`` or ``slots`` for one part only.
        minutes: Of each fine-tuning of a tagger.
    """
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings.model_validate({"home": scratch, "compute": {"seed": seed}})
        encode = encoders(settings, None, "minilm").passage.encode
        for size, splits in _splits(data, quick, seed).items():
            if set != "slots":
                rows += _intents(size, splits, encode)
            if set != "intents" and not (quick and size != "one fold"):
                rows += _slots(size, splits, settings, Path(scratch) / size.replace(" ", "-"), quick, minutes)
    return rows


def read_turns(data: Path, domain: str) -> Turns:
    """All turns of a domain."""
    frame = pl.read_parquet(data / "nlupp" / "nlupp.parquet").filter(pl.col("domain") == domain)
    slots = [
        sorted(
            Mention(slot["span"][0], slot["span"][1], name) for name, slot in json.loads(own).items() if "span" in slot
        )
        for own in frame["slots"]
    ]
    return Turns(frame["text"].to_list(), frame["intents"].to_list(), slots, frame["fold"].to_numpy().astype(np.int64))


def _splits(data: Path, quick: bool, seed: int) -> dict[str, list[tuple[Turns, Turns]]]:
    found: dict[str, list[tuple[Turns, Turns]]] = {"one fold": [], "most folds": []}
    for domain in DOMAINS[:1] if quick else DOMAINS:
        turns = read_turns(data, domain)
        order = np.random.default_rng(seed).permutation(FOLDS)
        for fold in order[: 1 if quick else 3].tolist():
            found["one fold"].append((turns.take(turns.fold == fold), turns.take(turns.fold != fold)))
        for start in range(0, _FIFTH if quick else 2 * _FIFTH, _FIFTH):
            tested = np.isin(turns.fold, order[start : start + _FIFTH])
            found["most folds"].append((turns.take(~tested), turns.take(tested)))
    return found


def _intents(size: str, splits: Sequence[tuple[Turns, Turns]], encode: Encode) -> list[Row]:
    parts: dict[str, list[Counts]] = {}
    seconds: dict[str, float] = {}
    for train, test in splits:
        names = sorted({name for own in train.intents for name in own})
        wanted = [set(own) for own in test.intents]
        for name in (f"nlu++ intents, {size}: linear TF-IDF", f"shopkeeper nlu++ intents, {size}"):
            began = time.perf_counter()
            if name.startswith("shopkeeper"):
                model = fit_intents(train.texts, train.intents, encode)
                given = model.read(test.texts).chances >= model.threshold
                found = [{model.names[at] for at in np.flatnonzero(row)} for row in given]
            else:
                given = _linear(train, test.texts, names)
                found = [{names[at] for at in np.flatnonzero(row)} for row in given]
            parts.setdefault(name, []).append(span_counts(wanted, found))
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began
    return [_row(name, np.concatenate(counts), seconds[name]) for name, counts in parts.items()]


def _linear(train: Turns, asked: Sequence[str], names: Sequence[str]) -> Bools:
    """TF-IDF and a support vector machine for each intent; penalty and threshold from three folds of the training turns."""
    features = Features.fit(LATIN, train.texts)
    known, unseen = features.of(train.texts), features.of(asked)
    held = np.array([[name in own for name in names] for own in train.intents])
    fold = np.random.default_rng(0).permutation(len(held)) % 3
    best: tuple[float, float, float] = (-1.0, 1.0, 0.0)
    for strength in (0.1, 1.0, 10.0):
        margins = np.full(held.shape, -1.0)
        for own in range(3):
            margins[fold == own] = _margins(known[fold != own], held[fold != own], known[fold == own], strength)
        threshold = f1_threshold(margins.ravel(), held.ravel())
        given = margins >= threshold
        score = float(2 * (given & held).sum() / max(int(given.sum() + held.sum()), 1))
        best = max(best, (score, strength, threshold))
    found: Bools = _margins(known, held, unseen, best[1]) >= best[2]
    return found


def _margins(known: object, held: Bools, unseen: object, strength: float) -> NDArray[np.float64]:
    columns = []
    for own in held.T:
        rows = int(unseen.shape[0])  # type: ignore[attr-defined]
        one = own.any() and not own.all()
        columns.append(LinearSVC(C=strength).fit(known, own).decision_function(unseen) if one else np.full(rows, -1.0))
    return np.stack(columns, axis=1)


def _slots(
    size: str, splits: Sequence[tuple[Turns, Turns]], settings: Settings, folder: Path, quick: bool, minutes: float
) -> list[Row]:
    parts: dict[str, list[Counts]] = {}
    seconds: dict[str, float] = {}
    systems: dict[str, TaggerOptions | None] = {
        f"nlu++ slots, {size}: known values": None,
        f"nlu++ slots, {size}: linear CRF": TaggerOptions(body=False),
    }
    if not quick:
        systems[f"shopkeeper nlu++ slots, {size}"] = TaggerOptions(units="pieces")
    for number, (train, test) in enumerate(splits):
        for place, (name, options) in enumerate(systems.items()):
            began = time.perf_counter()
            if options is None:
                found: Sequence[Sequence[Mention]] = _known_values(train, test.texts)
            else:
                dev = np.random.default_rng(number).random(len(train.texts)) < 0.2
                learn, held = (Marked(part.texts, part.slots) for part in (train.take(~dev), train.take(dev)))
                aside = folder / f"{number}-{place}"
                found = read_tagger(train_tagger(learn, held, settings, aside, minutes=minutes, options=options)).tag(
                    test.texts
                )
            parts.setdefault(name, []).append(span_counts(test.slots, found))
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began
    return [_row(name, np.concatenate(counts), seconds[name]) for name, counts in parts.items()]


def _known_values(train: Turns, texts: Sequence[str]) -> list[list[Mention]]:
    """Every value of the training turns where it stands again, the longest first."""
    values: dict[str, str] = {}
    for text, slots in zip(train.texts, train.slots, strict=True):
        for start, end, kind in slots:
            values[text[start:end].lower()] = kind
    ordered = sorted(values, key=len, reverse=True)
    found = []
    for text in texts:
        low, own = text.lower(), list[Mention]()
        for value in ordered:
            start = low.find(value)
            end = start + len(value)
            bounded = start >= 0 and not (low[start - 1 : start].isalnum() or low[end : end + 1].isalnum())
            if bounded and all(end <= other.start or start >= other.end for other in own):
                own.append(Mention(start, end, values[value]))
        found.append(sorted(own))
    return found


def _row(name: str, counts: Counts, seconds: float) -> Row:
    return Row(name, {"micro_f1": Metric(micro_f1(counts), *f1_interval(counts))}, seconds)
