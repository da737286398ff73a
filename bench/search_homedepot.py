"""Graded relevance of term and title (Home Depot): search terms parted 80/20, so that no test term was ever learnt from.

Descriptions and attributes are not in the data. Every score is fitted on the training terms alone; the cross-encoder's
scores of training terms come from a model that has not seen them (two halves, by term), those of test terms are the mean
of both models. "Among candidates" says that a pair is also described by how it compares with the other titles listed for
its term and with what the catalogue has best for it, as a ranker that is given a list can know. `pair_accuracy` is the
share of differently graded pairs of a term in the right order, `clear_pairs` that of pairs more than half a grade apart: a
grade is the mean of three raters or so, and a third may be one rater's mood. nDCG@10 of random order is high, as few titles
are listed.
Gains are paired, over terms, against the best of the first three systems on that metric; a gain in RMSE is below 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import bm25s
import lightgbm as lgb
import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import normalize

from bench.contract import Metric, Row
from shopkeeper.compute.device import set_threads
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.evaluation.metrics import ndcg_at
from shopkeeper.evaluation.splits import by_hash, folds
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.heads import Classifier
from shopkeeper.models.text import Floats
from shopkeeper.ranking.pair_features import Pairs, TermWeights, pair_features
from shopkeeper.recipes.method import Lesson, Method, prepare, teach
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.understanding.spelling import Speller
from shopkeeper.retrieval.understanding.vocabulary import Vocabulary, words_of
from shopkeeper.settings import Settings
from shopkeeper.training.criteria import number
from shopkeeper.training.distillation import answers
from shopkeeper.training.supervised import supervised
from shopkeeper.training.texts import TokenRows, tokenise_pairs

Ints = NDArray[np.int64]
Values = NDArray[np.float64]
_TOKENS, _RESAMPLES, _SURE = 48, 1_000, 0.5
_TREES = {
    "objective": "l2",
    "learning_rate": 0.04,
    "num_leaves": 24,
    "min_child_samples": 80,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "verbose": -1,
}


@dataclass(frozen=True, slots=True)
class Exam:
    """All pairs in one order.

    Attributes:
        asked: The search term, mended where its words are none of the catalogue's.
        titles: Of the products.
        grades: 1 to 3.
        term: Number of the search term.
        known: Rows of training terms.
        test: Rows of test terms.
        half: 0 or 1, by term.
    """

    asked: Sequence[str]
    titles: Sequence[str]
    grades: Values
    term: Ints
    known: Ints
    test: Ints
    half: Ints


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """Mean, BM25, cosine, features, the cross-encoder, and all together.

    Args:
        data: Folder of the public data sets.
        quick: A twentieth of the terms, one epoch.
        seed: Of the choice of terms, trees, heads and order.
    """
    set_threads(Settings().compute)
    exam = _exam(data, 0.05 if quick else 1.0, seed)
    middle = float(exam.grades[exam.known].mean())
    scores: dict[str, Values] = {"mean, in random order": np.full(len(exam.test), middle)}
    seconds: dict[str, float] = {}

    def timed(name: str, make: Callable[[], Values]) -> Values:
        began = time.perf_counter()
        found = make()
        seconds[name] = time.perf_counter() - began
        return found

    catalogue = timed("BM25 (bm25s)", lambda: _in_catalogue(exam))
    scores["BM25 (bm25s)"] = _line(exam, catalogue[:, 0])
    scores["MiniLM cosine"] = timed("MiniLM cosine", lambda: _cosine(exam, seed))
    name = "shopkeeper features, LightGBM"
    pairs = timed(name, lambda: _of_pairs(exam))
    scores[name] = _boosted(exam, pairs, seed)
    name = "shopkeeper features among candidates, LightGBM"
    both = np.concatenate([pairs, catalogue], axis=1)
    listed = _listed(both, exam.term)
    halves = timed(name, lambda: _by_halves(exam, listed, seed))
    scores[name] = _boosted(exam, listed, seed)
    name = "shopkeeper cross-encoder"
    read = timed(name, lambda: _read(exam, seed, epochs=1 if quick else 2))
    scores[name] = read[exam.test]
    name = "shopkeeper all in LightGBM"
    everything = _listed(np.concatenate([both, read[:, None]], axis=1), exam.term)
    scores[name] = timed(name, lambda: _boosted(exam, everything, seed))
    name = "shopkeeper ridge of scores"
    columns = np.stack([halves, read, catalogue[:, 0], catalogue[:, 4]], axis=1)
    scores[name] = timed(name, lambda: _ridge(exam, _listed(columns, exam.term)))
    scores["shopkeeper mean of the last two"] = (scores["shopkeeper all in LightGBM"] + scores[name]) / 2
    return _rows(exam, scores, seconds, seed)


def _exam(data: Path, share: float, seed: int) -> Exam:
    frame = pl.read_parquet(data / "homedepot_relevance" / "train.parquet")
    if share < 1:
        names = frame["search_term"].unique(maintain_order=True)
        frame = frame.filter(pl.col("search_term").is_in(names.sample(fraction=share, seed=seed).to_list()))
    typed, titles = frame["search_term"].to_list(), frame["product_title"].to_list()
    tested = by_hash(typed, 0.2, salt="teaching")
    mended = _mended(typed, titles)
    _, term = np.unique(typed, return_inverse=True)
    return Exam(
        [mended[one] for one in typed],
        titles,
        frame["relevance"].to_numpy().astype(np.float64),
        term.astype(np.int64),
        np.flatnonzero(~tested),
        np.flatnonzero(tested),
        folds(typed, 2, salt="homedepot"),
    )


def _mended(typed: Sequence[str], titles: Sequence[str]) -> dict[str, str]:
    """Each term as it was probably meant, by the words of the titles."""
    vocabulary = Vocabulary()
    for title in dict.fromkeys(titles):
        vocabulary.put(words_of(title))
    speller = Speller(vocabulary)
    best = {one: speller.corrections(one, most=1) for one in dict.fromkeys(typed)}
    return {one: found[0].text if found and found[0].certainty >= _SURE else one for one, found in best.items()}


def _of_pairs(exam: Exam) -> Values:
    """Titles begin with the brand as a rule."""
    pairs = Pairs(exam.asked, exam.titles, brands=[" ".join(title.split()[:1]) for title in exam.titles])
    return pair_features(pairs, TermWeights(dict.fromkeys(exam.titles))).astype(np.float64)


def _in_catalogue(exam: Exam) -> Values:
    """How a title stands among all titles for its term; float64 (n, 5).

    BM25; its share of the best title's; logarithm of the titles above it; of those about as good as the best; cosine
    with the middle of the ten best titles.
    """
    titles, row = np.unique(exam.titles, return_inverse=True)
    index = bm25s.BM25(k1=1.5, b=0.75)
    index.index([terms(title) for title in titles.tolist()], show_progress=False)
    held = index.scores
    table = sparse.csc_array((held["data"], held["indices"], held["indptr"]))
    by_term, unit = sparse.csr_array(table.T), normalize(sparse.csr_array(table))
    found = np.zeros((len(exam.titles), 5))
    order = np.argsort(exam.term, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(exam.term[order])) + 1):
        codes = [index.vocab_dict.get(one, by_term.shape[0]) for one in terms(exam.asked[int(rows[0])])]
        codes = [code for code in codes if code < by_term.shape[0]]
        if not codes:
            continue
        scores = np.asarray(by_term[codes].sum(axis=0)).ravel()
        most = float(scores.max())
        if most <= 0:
            continue
        own = scores[row[rows]]
        top = np.argpartition(-scores, min(10, len(scores) - 1))[:10]
        middle = np.asarray(unit[top].sum(axis=0)).ravel()
        found[rows, 0], found[rows, 1] = own, own / most
        found[rows, 2] = np.log1p((scores[None, :] > own[:, None]).sum(axis=1))
        found[rows, 3] = np.log1p((scores >= 0.95 * most).sum())
        found[rows, 4] = unit[row[rows]] @ middle / max(float(np.linalg.norm(middle)), 1e-9)
    return found


def _listed(table: NDArray[np.floating], term: Ints) -> Floats:
    """Columns, what they are above the mean of the term's titles, that mean, and what they are below its largest."""
    count = np.bincount(term)
    means = np.stack([np.bincount(term, column) / np.maximum(count, 1) for column in table.T], axis=1)[term]
    most = np.full((len(count), table.shape[1]), -np.inf)
    np.maximum.at(most, term, table)
    return np.concatenate([table, table - means, means, table - most[term]], axis=1).astype(np.float32)


def _cosine(exam: Exam, seed: int) -> Values:
    """MiniLM as it came; the line from cosine to grade is drawn through a sample of training pairs."""
    backbone = load_backbone("minilm", Settings())
    backbone.max_length = _TOKENS
    encoder = TorchEncoder(backbone, bf16=True)
    sample = np.random.default_rng(seed).permutation(exam.known)[:4_000]
    rows = np.concatenate([sample, exam.test])
    asked, titles = ([texts[row] for row in rows.tolist()] for texts in (exam.asked, exam.titles))
    cosines = (encoder.encode(asked, "query") * encoder.encode(titles, "passage")).sum(axis=1)
    slope, base = np.polyfit(cosines[: len(sample)], exam.grades[sample], 1)
    return np.asarray(slope * cosines[len(sample) :] + base, dtype=np.float64)


def _line(exam: Exam, column: Values) -> Values:
    slope, base = np.polyfit(column[exam.known], exam.grades[exam.known], 1)
    return np.asarray(slope * column[exam.test] + base, dtype=np.float64)


def _boosted(
    exam: Exam, table: NDArray[np.floating], seed: int, known: Ints | None = None, asked: Ints | None = None
) -> Values:
    """Grades of `asked` (the test rows when None) by trees that learnt from `known` (all training rows when None)."""
    known, asked = exam.known if known is None else known, exam.test if asked is None else asked
    lessons = lgb.Dataset(table[known], exam.grades[known])
    model = lgb.train(_TREES | {"seed": seed}, lessons, num_boost_round=500)
    return np.asarray(model.predict(table[asked]), dtype=np.float64)


def _by_halves(exam: Exam, table: Floats, seed: int) -> Values:
    """Grades of all rows by trees that have not seen them, float64 (n,)."""
    return _unseen(exam, lambda known, asked: _boosted(exam, table, seed, known, asked))


def _unseen(exam: Exam, ask: Callable[[Ints, Ints], Values]) -> Values:
    """What two models say, each learning from half of the training terms, of the other half and of the test."""
    found = np.zeros(len(exam.grades))
    for half in (0, 1):
        own, other = (exam.known[exam.half[exam.known] == side] for side in (half, 1 - half))
        said = ask(own, np.concatenate([other, exam.test]))
        found[other] = said[: len(other)]
        found[exam.test] += said[len(other) :] / 2
    return found


def _read(exam: Exam, seed: int, epochs: int) -> Values:
    """Grades of all rows by cross-encoders that have not seen them, float64 (n,)."""
    middle, spread = float(exam.grades[exam.known].mean()), float(exam.grades[exam.known].std())
    wanted = ((exam.grades - middle) / spread).astype(np.float32)

    def ask(known: Ints, asked: Ints) -> Values:
        backbone = load_backbone("minilm", Settings())
        tokens = tokenise_pairs(backbone, exam.asked, exam.titles, _TOKENS)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = Classifier(backbone, classes=1)
        method = Method(open_layers=6, rate=1e-4, epochs=epochs, batch=64)
        prepare(model, method)
        lesson = Lesson(_some(tokens, known), wanted[known])
        teach(model, lesson, method, minutes=8, seed=seed, loss=supervised(number()), name="cross-encoder")
        said = answers(model, tokens, asked, bfloat16=True)[:, 0].numpy()
        return np.asarray(said * spread + middle, dtype=np.float64)

    return _unseen(exam, ask)


def _some(tokens: TokenRows, rows: Ints) -> TokenRows:
    return TokenRows([tokens.ids[row] for row in rows], [tokens.types[row] for row in rows], tokens.filler)


def _ridge(exam: Exam, table: Floats) -> Values:
    spread = np.maximum(table[exam.known].std(axis=0), 1e-6)
    model = RidgeCV(np.logspace(-1, 4, 6)).fit(table[exam.known] / spread, exam.grades[exam.known])
    return np.asarray(model.predict(table[exam.test] / spread), dtype=np.float64)


def _rows(exam: Exam, scores: dict[str, Values], seconds: dict[str, float], seed: int) -> list[Row]:
    term, grades = exam.term[exam.test], exam.grades[exam.test]
    order = np.argsort(term, kind="stable")
    lists = np.split(order, np.flatnonzero(np.diff(term[order])) + 1)
    drawn = np.random.default_rng(0).integers(0, len(lists), (_RESAMPLES, len(lists)))
    ties = np.random.default_rng(seed).random(len(grades))
    count = np.array([len(rows) for rows in lists])
    errors = {name: np.array([((said - grades)[rows] ** 2).sum() for rows in lists]) for name, said in scores.items()}
    pairs = {name: _order(lists, grades, said) for name, said in scores.items()}
    rivals = list(scores)[:3]
    nearest = errors[min(rivals, key=lambda name: errors[name].sum())]
    best = pairs[max(rivals, key=lambda name: float(pairs[name].mean()))]
    rows = []
    for name, said in scores.items():
        gain = paired_difference(best, pairs[name])
        ours, theirs = (np.sqrt(one[drawn].sum(axis=1) / count[drawn].sum(axis=1)) for one in (errors[name], nearest))
        rmse, rival = (float(np.sqrt(one.sum() / count.sum())) for one in (errors[name], nearest))
        metrics = {
            "rmse": Metric(rmse, *np.quantile(ours, [0.025, 0.975]).tolist()),
            "rmse_gain": Metric(rmse - rival, *np.quantile(ours - theirs, [0.025, 0.975]).tolist()),
            "pair_accuracy": Metric.mean(pairs[name]),
            "pair_gain": Metric(gain.mean, gain.low, gain.high),
            "clear_pairs": Metric.mean(_order(lists, grades, said, apart=0.5)),
            "ndcg@10": Metric.mean(_ndcg(lists, grades, said, ties)),
        }
        rows.append(Row(name, metrics, seconds.get(name, 0.0)))
    return rows


def _order(lists: Sequence[Ints], grades: Values, said: Values, apart: float = 0.0) -> Values:
    """Share of rightly ordered pairs of each term, graded more than `apart` apart, ties half; float64 (terms with any,)."""
    found = []
    for rows in lists:
        higher = grades[rows][:, None] - grades[rows][None, :] > apart
        if higher.any():
            gap = said[rows][:, None] - said[rows][None, :]
            found.append(float(((gap > 0) + 0.5 * (gap == 0))[higher].mean()))
    return np.array(found)


def _ndcg(lists: Sequence[Ints], grades: Values, said: Values, ties: Values) -> Values:
    """nDCG@10 of each term, float64 (terms,); equal scores stand in random order."""
    table = np.zeros((len(lists), max(map(len, lists))))
    for place, rows in enumerate(lists):
        table[place, : len(rows)] = grades[rows[np.lexsort((ties[rows], -said[rows]))]]
    return ndcg_at(10, table)
