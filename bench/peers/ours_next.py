"""Our recommender under the same exam: item-kNN, the sequence model by itself, and the blend of all sources as `learn` makes it.

The sequence model reads item vectors of MiniLM, whose encoding is noted and not counted. Like the rivals it runs on one thread.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.next_amazon import encode
from bench.peers.sequences import Exam, Scores, pairs, read_exam, top, write_named
from shopkeeper.evaluation.next_items import Split
from shopkeeper.recipes.recommend.behaviour import learn
from shopkeeper.recipes.recommend.moments import Moment
from shopkeeper.recipes.recommend.next_item import foreseen
from shopkeeper.recipes.recommend.next_learning import NextOptions, fit_next
from shopkeeper.recipes.recommend.source_tuning import tune_sources
from shopkeeper.records import EventKind
from shopkeeper.retrieval.collaborative import together
from shopkeeper.retrieval.histories import Floats, Histories, fold
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.trails import KINDS, Trails
from shopkeeper.settings import Settings
from shopkeeper.store.feeds import read_products
from shopkeeper.tasks.recommend.behaviour import fit

_SAMPLE = 4_000
"""Validation users that tuning looks at, as in `recipes.recommend.behaviour`."""


def main(folder: Path, system: str) -> None:
    """Learn and name items; `system` is ``knn``, ``sequence`` or ``blend``."""
    exam = read_exam(folder)
    items = sorted(read_products(folder / "products.jsonl"), key=lambda item: int(item.id))
    with tempfile.TemporaryDirectory() as home:
        settings = Settings.model_validate(
            {"home": home, "compute": {"threads": 1}, "train": {"minutes": exam.minutes}}
        )
        began = time.perf_counter()
        vectors = None if exam.quick or system == "knn" else encode(items, settings)
        encoding = time.perf_counter() - began
        began = time.perf_counter()
        scores, notes = _learnt(system, exam, Shelf(items), vectors, settings)
        seconds = time.perf_counter() - began
    encoded = "" if vectors is None else f"; encoding {encoding:.0f} s"
    write_named(folder, f"shopkeeper-{system}", top(scores, exam.past), seconds, notes + encoded)


def _learnt(system: str, exam: Exam, shelf: Shelf, vectors: Floats | None, settings: Settings) -> tuple[Scores, str]:
    width = len(shelf)
    histories, trails = _followed(exam)
    validation = _validation(histories, trails, width)
    options = NextOptions(epochs=3) if exam.quick else NextOptions()
    order = np.random.default_rng(settings.compute.seed).permutation(len(trails)).astype(np.int64)
    sample = validation.take(order[:_SAMPLE])
    if system == "knn":
        tuned = tune_sources(sample.split, width).together
        source = together(histories, width, **tuned)
        return lambda who: source.scores(histories.take(who).weights(source.decay, width)), f"{dict(tuned)}"
    if system == "sequence":
        model, report = fit_next(
            validation.learn,
            vectors,
            settings,
            options=options,
            judge=lambda model: float(foreseen(model, sample, width, vectors)["ndcg@10"].mean()),
        )
        table = model.table(width, vectors)
        states = model.states(trails, table)
        return lambda who: states[who] @ table.T, f"{report.epochs:.0f} epochs, best after {model.epochs}"
    learnt = learn(validation, validation, shelf, vectors, settings, options)
    split = validation.split
    behaviour = fit(split.learn, shelf, vectors, learnt.parameters, split.until)
    if learnt.sequence is not None:
        behaviour.next = learnt.sequence.to_serving(width, vectors)
    scores: Scores = lambda who: behaviour.blended(histories.take(who), width, trails.take(who))  # noqa: E731
    return scores, "sequence model included; weights tuned on validation, no label trained on"


def _followed(exam: Exam) -> tuple[Histories, Trails]:
    """What every user is known to have taken, one second after the other."""
    users, rows = pairs(exam.past)
    times = np.arange(len(rows), dtype=np.float64)
    kinds = np.full(len(rows), KINDS.index(EventKind.PURCHASE), dtype=np.int8)
    histories = fold(users, rows, np.ones(len(rows)), times, len(exam.past))
    return histories, Trails(histories.indptr, rows, times, kinds)


def _validation(histories: Histories, trails: Trails, width: int) -> Moment:
    """Everything but the last item given, and that item as the target."""
    last = histories.ages == 0
    known, steps = histories.keep(~last), trails.keep(~last)
    people = np.arange(len(histories), dtype=np.int64)
    until = float(known.times.max(initial=0.0))
    split = Split(known, known, known.weights(1.0, width), people, histories.rows[last], until, people)
    return Moment(split, steps, steps)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
