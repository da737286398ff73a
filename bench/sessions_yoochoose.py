"""Next click of shop sessions with real time stamps: YooChoose, the last day for the test, the day before for validation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from bench.contract import Metric, Row
from shopkeeper.evaluation.next_items import Split, places_of, ranks
from shopkeeper.recipes.recommend.behaviour import learn
from shopkeeper.recipes.recommend.moments import Moment
from shopkeeper.recipes.recommend.next_learning import NextOptions, fit_next
from shopkeeper.recipes.recommend.preference import places
from shopkeeper.records import EventKind, Item
from shopkeeper.retrieval.histories import Floats, Matrix, empty, fold, read
from shopkeeper.retrieval.popularity import DAY, Standing
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.trails import SPEAKS, Ints, Trails, read_trails
from shopkeeper.settings import Settings
from shopkeeper.tasks.recommend.behaviour import fit

_CUTOFF = 20
_RESAMPLES = 2_000
_TUNED_ON = 4_000
"""Validation clicks that the search for V-SkNN's settings looks at."""
_TOGETHER = 256
"""Sessions that V-SkNN compares at once."""

Values = NDArray[np.float64]
Decay = Callable[[Values, Values], Values]
"""Steps back from the newest click (0), clicks of the session -> weight."""

WEIGHTS: Mapping[str, Decay] = {
    "same": lambda back, _: np.ones_like(back),
    "linear": lambda back, _: np.maximum(1 - 0.1 * back, 0),
    "share": lambda back, clicks: (clicks - back) / clicks,
    "quadratic": lambda back, clicks: ((clicks - back) / clicks) ** 2,
    "inverse": lambda back, _: 1 / (back + 1),
    "logarithmic": lambda back, _: 1 / np.log10(back + 2.7),
}
"""How much an earlier click of a session counts (the decays of the paper and of its authors' session-rec)."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What V-SkNN has to be told.

    Attributes:
        neighbours: Sessions that vote.
        sample: Newest sessions with a click in common that are compared at all.
        likeness: Decay of the clicks by which sessions are compared, of `WEIGHTS`.
        vote: Decay of a session's vote by its newest click in common, of `WEIGHTS`.
        rarity: How much more votes for rare items count (times inverse session frequency).
    """

    neighbours: int = 100
    sample: int = 1_000
    likeness: str = "share"
    vote: str = "inverse"
    rarity: float = 0.0


_GRID: Mapping[str, tuple[object, ...]] = {
    "likeness": tuple(WEIGHTS),
    "vote": tuple(WEIGHTS),
    "rarity": (0.0, 0.5, 2.0, 10.0),
    "neighbours": (50, 100, 200, 500, 1_000),
    "sample": (500, 1_000, 2_500, 5_000, 100_000),
}


class SessionNeighbours:
    """V-SkNN: what the most similar earlier sessions clicked (Ludewig & Jannach 2018, "Evaluation of session-based recommendation algorithms").

    A session's vote for each of its items is its similarity to the current session, times a decay by the newest click that
    both have in common.

    Args:
        learn: Earlier sessions.
        width: Number of rows of the shelf.
        tuning: Settings.
    """

    def __init__(self, learn: Trails, width: int, tuning: Tuning) -> None:
        ends = np.where(learn.lengths > 0, learn.times[np.maximum(learn.indptr[1:] - 1, 0)], -np.inf)
        newest = learn.take(np.argsort(-ends, kind="stable").astype(np.int64))
        pairs = np.unique(newest.users * width + newest.rows)
        shape = (len(newest), width)
        self._sessions: Matrix = sp.csr_array((np.ones(len(pairs), np.float32), np.divmod(pairs, width)), shape=shape)
        self._by_item: Matrix = sp.csr_array(self._sessions.T)
        self._tuning = tuning
        frequency = np.bincount(pairs % width, minlength=width)
        self._worth = 1 + tuning.rarity * np.log(len(newest) / np.maximum(frequency, 1))

    def scores(self, past: Trails) -> Floats:
        """Votes for every item, float32 (sessions, rows)."""
        blocks = [np.arange(at, min(at + _TOGETHER, len(past))) for at in range(0, len(past), _TOGETHER)]
        width = self._sessions.shape[1]
        return np.concatenate([self._block(past.take(block)) for block in blocks] or [np.zeros((0, width), np.float32)])

    def _block(self, past: Trails) -> Floats:
        tuning, count = self._tuning, len(past)
        alike = self._shared(past, WEIGHTS[tuning.likeness]).toarray()
        alike[np.cumsum(alike > 0, axis=1) > tuning.sample] = 0
        if tuning.neighbours < alike.shape[1]:
            best = np.argpartition(-alike, tuning.neighbours - 1, axis=1)[:, : tuning.neighbours]
        else:
            best = np.broadcast_to(np.arange(alike.shape[1]), alike.shape)
        near = np.take_along_axis(alike, best, axis=1)
        # Each click in common adds 2^-steps back; the exponent of the sum tells the newest.
        _, exponent = np.frexp(
            np.take_along_axis(self._shared(past, lambda back, _: 0.5**back).toarray(), best, axis=1)
        )
        back = np.maximum(1.0 - exponent, 0)
        vote = near * WEIGHTS[tuning.vote](back, past.lengths[:, None].astype(np.float64))
        at = (np.repeat(np.arange(count), best.shape[1]), best.ravel())
        votes: Matrix = sp.csr_array((vote.ravel(), at), shape=alike.shape)
        votes.eliminate_zeros()
        found: Floats = ((votes @ self._sessions).toarray() * self._worth).astype(np.float32)
        return found

    def _shared(self, past: Trails, decay: Decay) -> Matrix:
        """Weights of the clicks in common with every earlier session; an item counts where it was clicked last."""
        back = np.repeat(past.indptr[1:], past.lengths) - 1 - np.arange(len(past.rows))
        weight = decay(back.astype(np.float64), np.repeat(past.lengths, past.lengths).astype(np.float64))
        width = self._sessions.shape[1]
        _, last = np.unique((past.users * width + past.rows)[::-1], return_index=True)
        kept = len(past.rows) - 1 - last
        clicked = sp.csr_array((weight[kept], (past.users[kept], past.rows[kept])), shape=(len(past), width))
        return sp.csr_array(clicked @ self._by_item)


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """7-day popularity, item-kNN, V-SkNN, and ours: sequence model, blend, ranker; every click after a session's first.

    Sessions are revealed click by click, and all items are ranked for the next one, those of the session among them.
    Everything is chosen on the clicks of the day before; then the sources are counted and the sequence model is learnt
    again, for as many epochs as were best, on all sessions before the test day, as the nightly job of a shop does.
    Intervals are over sessions; `..._gain` is the difference to V-SkNN on the same clicks. Items have no texts.

    A quarter of the clicks repeat the one before. The sequence model alone is not taught to foresee these, for they tell
    nothing new of a customer's taste; in the blend the source of what was looked at already answers for them.

    Args:
        data: Folder of the public data sets.
        quick: 1,500 validation and test clicks, and three epochs.
        seed: Of the order of the catalogue, of learning and of the bootstrap.
    """
    folder = data / "yoochoose-100k"
    parts = [_clicks(folder / f"{name}.parquet") for name in ("train_tr", "train_valid", "train_full", "test")]
    items = np.random.default_rng(seed).permutation(parts[2]["item"].unique().sort().to_numpy())
    shelf = Shelf(Item(id=item, title="") for item in items.tolist())
    validation, test = next_clicks(parts[0], parts[1], shelf), next_clicks(parts[2], parts[3], shelf)
    if quick:
        validation, test = (_some(moment, 1_500, seed) for moment in (validation, test))
    return _compare(validation, test, shelf, NextOptions(epochs=3) if quick else NextOptions(), quick, seed)


def next_clicks(learn: pl.DataFrame, asked: pl.DataFrame, shelf: Shelf) -> Moment:
    """Every click after the first of the sessions `asked`, to be foreseen from those before it; anything may come again.

    Args:
        learn: Earlier sessions: time, kind, customer, session, item, as `EventLog.frame` has them.
        asked: Later sessions.
        shelf: The items.
    """
    trails, _ = read_trails(asked, shelf)
    ahead = np.maximum(trails.lengths - 1, 0)
    lengths = np.arange(ahead.sum()) - np.repeat(np.cumsum(ahead) - ahead, ahead) + 1
    starts = np.repeat(trails.indptr[:-1], ahead)
    past = trails.cut(starts, lengths)
    count = len(past)
    histories = fold(past.users, past.rows, SPEAKS[past.kinds], past.times, count)
    until = float(trails.times.min(initial=np.inf))
    targets = trails.rows[starts + lengths]
    nobody = np.full(count, -1, dtype=np.int64)
    split = Split(read(learn, shelf)[0], histories, empty(count, len(shelf)), np.arange(count), targets, until, nobody)
    return Moment(split, read_trails(learn, shelf)[0], past)


def per_session(values: Values, sessions: Ints, seed: int = 0) -> Metric:
    """Mean over clicks, float64 (n,), with an interval from a bootstrap that draws whole sessions, int64 (n,)."""
    _, place = np.unique(sessions, return_inverse=True)
    total, clicks = np.bincount(place, values), np.bincount(place)
    drawn = np.random.default_rng(seed).integers(0, len(clicks), size=(_RESAMPLES, len(clicks)))
    low, high = np.quantile(total[drawn].sum(axis=1) / clicks[drawn].sum(axis=1), [0.025, 0.975])
    return Metric(float(values.mean()), float(low), float(high))


def tuned(validation: Moment, width: int, seed: int, grid: Mapping[str, tuple[object, ...]] = _GRID) -> Tuning:
    """Coordinate search for V-SkNN's settings with the best MRR@20 on validation, twice over the grid."""
    sample = _some(validation, _TUNED_ON, seed)
    seen: dict[Tuning, float] = {}

    def value(tuning: Tuning) -> float:
        if tuning not in seen:
            seen[tuning] = float(_reciprocal(_neighbours(tuning, sample, width)).mean())
        return seen[tuning]

    best = Tuning()
    for name, options in (*grid.items(), *grid.items()):
        best = max((best, *(replace(best, **{name: option}) for option in options)), key=value)  # type: ignore[arg-type]
    return best


def _compare(validation: Moment, test: Moment, shelf: Shelf, options: NextOptions, quick: bool, seed: int) -> list[Row]:
    width, split = len(shelf), test.split
    began = time.perf_counter()
    tuning = tuned(validation, width, seed, {"neighbours": (100, 500)} if quick else _GRID)
    searching = time.perf_counter() - began
    began = time.perf_counter()
    settings = Settings.model_validate({"compute": {"seed": seed, "threads": 1}, "train": {"minutes": 60}})
    learnt = learn(validation, test, shelf, None, settings, options)
    behaviour = replace(fit(split.learn, shelf, None, learnt.parameters, split.until), ranker=learnt.ranker)
    if learnt.sequence is not None:
        again = replace(options, epochs=max(1, learnt.sequence.epochs))
        behaviour.next = fit_next(test.learn, None, settings, options=again)[0].to_serving(width)
    learning = time.perf_counter() - began
    kept = test.learn.times >= split.until - 7 * DAY
    popular = Standing("popular", np.bincount(test.learn.rows[kept], minlength=width).astype(np.float32))
    together = behaviour.sources["together"]
    found: dict[str, tuple[Values, float, str]] = {
        "popularity, 7 days": (ranks(lambda past: popular.scores(past.weights(1.0, width)), split, width), 0.0, ""),
        "item-kNN, tuned": (
            ranks(lambda past: together.scores(past.weights(together.decay, width)), split, width),
            0.0,
            str(dict(learnt.parameters.together)),
        ),
        "V-SkNN, tuned": (_neighbours(tuning, test, width), searching, str(tuning)),
    }
    if (sequence := behaviour.next) is not None:
        where = places_of(lambda users: sequence.scores(test.past.take(users), width), split, width)
        found["shopkeeper sequence"] = (
            where,
            learning,
            f"{max(1, learnt.sequence.epochs if learnt.sequence else 0)} epochs",
        )
    where = places_of(
        lambda users: behaviour.blended(split.past.take(users), width, test.past.take(users)), split, width
    )
    found["shopkeeper blend"] = where, learning, f"parameters {learnt.parameters.to_json()}"
    if behaviour.ranker is not None:
        found["shopkeeper ranker"] = places(behaviour, split, test.past, shelf), learning, learnt.notes
    rival = found["V-SkNN, tuned"][0]
    sessions = _sessions(test)
    return [
        Row(name, dict(_metrics(places, rival, sessions, seed)), seconds, notes)
        for name, (places, seconds, notes) in found.items()
    ]


def _metrics(places: Values, rival: Values, sessions: Ints, seed: int) -> Iterator[tuple[str, Metric]]:
    for name, measure in ((f"hr@{_CUTOFF}", _hit), (f"mrr@{_CUTOFF}", _reciprocal)):
        yield name, per_session(measure(places), sessions, seed)
        yield f"{name}_gain", per_session(measure(places) - measure(rival), sessions, seed)


def _hit(places: Values) -> Values:
    return (places < _CUTOFF).astype(np.float64)


def _reciprocal(places: Values) -> Values:
    return np.where(places < _CUTOFF, 1 / (places + 1), 0.0)


def _neighbours(tuning: Tuning, asked: Moment, width: int) -> Values:
    source = SessionNeighbours(asked.learn, width, tuning)
    return places_of(lambda clicks: source.scores(asked.past.take(clicks)), asked.split, width)


def _sessions(asked: Moment) -> Ints:
    """The session of every click asked for: a new one begins where only one click is known."""
    return np.cumsum(asked.past.lengths == 1)


def _some(moment: Moment, count: int, seed: int) -> Moment:
    """Whole sessions by chance, until there are about `count` clicks."""
    sessions = _sessions(moment)
    order = np.random.default_rng(seed).permutation(sessions.max(initial=0)) + 1
    clicks = np.bincount(sessions, minlength=len(order) + 1)[order]
    kept = order[: int(np.searchsorted(np.cumsum(clicks), count)) + 1]
    return moment.take(np.flatnonzero(np.isin(sessions, kept)).astype(np.int64))


def _clicks(file: Path) -> pl.DataFrame:
    """A file of sessions as the log has events, in the order of time."""
    return pl.read_parquet(file).select(
        pl.col("time"),
        pl.lit(EventKind.CLICK.value).alias("kind"),
        pl.lit("").alias("customer"),
        pl.col("session").cast(pl.String),
        pl.col("item").cast(pl.String),
    ).sort("time", maintain_order=True)  # fmt: skip
