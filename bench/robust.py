"""Typing slips, other words and wrong labels: what each way of training makes of them, on BANKING77.

All fits share one frozen trunk (MiniLM, top two layers and the head learn), the same texts, rate and number of epochs;
nothing is tuned and no state is picked, so the official test is looked at once by each fit. Conditions of the test texts:

- ``typos``: a slip of the finger in a fifth of the words, mean over the draws; ``attack by typos``: right in all draws.
- ``near words`` and ``attack by near words``: the same with a fifth of the words exchanged for neighbours in the
  untouched model's space. Neighbours are no perfect synonyms: some change what is meant.

``10 %`` and so on are shares of training labels that are wrong (any other class alike); the test is clean then.
`drop` is the loss of accuracy against the same method without slips and with right labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.contract import Metric, Row
from bench.texts import Texts, banking, few
from shopkeeper.compute.precision import autocast
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.heads import Classifier
from shopkeeper.settings import Settings
from shopkeeper.training.adversarial import AWP, FGM, PGD, FreeLB
from shopkeeper.training.augmentation import Augmentation, synonyms, typos
from shopkeeper.training.batching import Ints
from shopkeeper.training.criteria import classes, generalised_cross_entropy, symmetric_cross_entropy
from shopkeeper.training.freezing import open_top
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.noise import mislabelled, out_of_fold, suspicious
from shopkeeper.training.regularisation import r_drop
from shopkeeper.training.supervised import Labelled, class_numbers, labelled, supervised
from shopkeeper.training.texts import TokenRows, tokenise
from shopkeeper.training.trunk import Trunk

Rights = NDArray[np.float64]
_NOISE = (0.1, 0.3)
_TOKENS = 48


@dataclass(frozen=True, slots=True)
class Method:
    """A way of training. `hooks` makes new ones for each fit; `cleaned` leaves out what confident learning suspects."""

    name: str
    loss: Callable[[nn.Module, Labelled], Tensor]
    hooks: Callable[[], Sequence[Hook]] = field(default=tuple)
    cleaned: bool = False


_PLAIN = supervised(classes())
AGAINST_SLIPS = (
    Method("plain", _PLAIN),
    Method("label smoothing", supervised(classes(smoothing=0.1))),
    Method("R-Drop", r_drop(classes())),
    Method("FGM", _PLAIN, lambda: [FGM()]),
    Method("PGD", _PLAIN, lambda: [PGD()]),
    Method("FreeLB", _PLAIN, lambda: [FreeLB()]),
    Method("AWP", _PLAIN, lambda: [AWP()]),
    Method("GCE", supervised(generalised_cross_entropy(0.7))),
    Method("SCE", supervised(symmetric_cross_entropy())),
)
AGAINST_NOISE = (
    *(method for method in AGAINST_SLIPS if method.name not in ("PGD", "FreeLB")),
    Method("confident learning", _PLAIN, cleaned=True),
)


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """Rows for each method under each condition.

    Args:
        data: Folder of the public data sets.
        quick: Few texts, one epoch, one level of noise.
        seed: Of the choice of texts, slips, noise and fits.
    """
    rng = np.random.default_rng(seed)
    split = banking(data)
    train = split.train.take(few(split.train.labels, 5 if quick else 25, seed))
    test = split.test.take(few(split.test.labels, 3 if quick else 20, seed))
    names = sorted(set(train.labels))
    backbone = load_backbone("minilm", Settings())
    variants = _variants(test, near_words(train, backbone), 2 if quick else 4, rng)
    wanted, truth = class_numbers(train.labels, names), class_numbers(test.labels, names)
    lab = Lab(backbone, train.texts, variants, len(names), epochs=1 if quick else 6, seed=seed)
    rows: list[Row] = []
    linear = linear_rights(train.texts, wanted, variants, truth)
    rows += _condition_rows("tf-idf", linear)
    unharmed = {"tf-idf": linear["clean"][0]}
    with lab:
        for method in AGAINST_SLIPS:
            seconds = lab.fit(wanted, method)
            rights = lab.rights(truth)
            unharmed[method.name] = rights["clean"][0]
            rows += _condition_rows(f"shopkeeper {method.name}", rights, seconds)
        unharmed["confident learning"] = unharmed["plain"]
        for share in _NOISE[1:] if quick else _NOISE:
            noisy = mislabelled(wanted, share, rng, classes=len(names))
            clean = {"clean": variants["clean"]}
            found = linear_rights(train.texts, noisy, clean, truth)["clean"][0]
            rows.append(_row(f"tf-idf, {share:.0%} wrong labels", found, unharmed["tf-idf"]))
            out = lab.suspects(noisy, rng)
            hits = float((noisy != wanted)[out].mean()) if len(out) else 0.0
            for method in AGAINST_NOISE:
                seconds = lab.fit(noisy, method, leave_out=out if method.cleaned else out[:0])
                found = lab.rights(truth, only="clean")["clean"][0]
                notes = f"{len(out)} of {len(noisy)} rows left out, {hits:.0%} of them wrong" if method.cleaned else ""
                system = f"shopkeeper {method.name}, {share:.0%} wrong labels"
                rows.append(_row(system, found, unharmed[method.name], seconds, notes))
    return rows


class Lab:
    """One classifier that is put back before each fit, and the frozen layers' answers for all texts.

    Args:
        backbone: MiniLM.
        train: Texts to learn from.
        variants: Lists of test texts by condition, each list in the order of the test.
        count: Number of classes.
        epochs: Of each fit.
        seed: Of each fit.
    """

    def __init__(
        self,
        backbone: Backbone,
        train: Sequence[str],
        variants: Mapping[str, Sequence[Sequence[str]]],
        count: int,
        *,
        epochs: int,
        seed: int,
    ) -> None:
        self._seed, self._variants = seed, variants
        self._vectors = TorchEncoder(backbone, bf16=True).encode(train, "query")
        torch.manual_seed(seed)
        self._classifier = Classifier(backbone, classes=count)
        open_top(self._classifier.model, 2)
        self._learning = [p for p in self._classifier.parameters() if p.requires_grad]
        self._start = [p.detach().clone() for p in self._learning]
        every = [*train, *(text for lists in variants.values() for texts in lists for text in texts)]
        self._tokens = tokenise(backbone, every, "query", _TOKENS)
        self._train = TokenRows(self._tokens.ids[: len(train)], [], self._tokens.filler)
        self._trunk = Trunk(backbone, self._tokens)
        self._settings = FitSettings(epochs=epochs, minutes=10, rate=3e-4, rates={"linear": 10})

    def __enter__(self) -> Lab:
        self._attached = self._trunk.attached()
        self._attached.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._attached.__exit__(None, None, None)

    def fit(self, wanted: Ints, method: Method, leave_out: Ints | None = None) -> float:
        """Start anew, learn, and say how many seconds it took."""
        with torch.no_grad():
            for parameter, value in zip(self._learning, self._start, strict=True):
                parameter.copy_(value)
        weights = np.ones(len(wanted), dtype=np.float32)
        weights[[] if leave_out is None else leave_out] = 0.0
        batches = labelled(self._train, wanted, 32, weights=weights)
        loss = self._trunk.loss(method.loss)
        report = fit(
            self._classifier, batches, loss, self._settings, hooks=method.hooks(), seed=self._seed, name=method.name
        )
        return report.seconds

    def rights(self, truth: Ints, only: str = "") -> dict[str, list[Rights]]:
        """For each condition and draw which test texts are answered rightly, 0 or 1 (n,)."""
        found: dict[str, list[Rights]] = {}
        start = len(self._train.ids)
        for name, lists in self._variants.items():
            for _ in lists:
                if only in ("", name):
                    predicted = self._predicted(np.arange(start, start + len(truth)))
                    found.setdefault(name, []).append((predicted == truth).astype(np.float64))
                start += len(truth)
        return found

    def suspects(self, labels: Ints, rng: np.random.Generator) -> Ints:
        """Rows that confident learning suspects, by a logistic regression over the untouched model's vectors."""
        from sklearn.linear_model import LogisticRegression

        def predict(known: Ints, asked: Ints) -> NDArray[np.float64]:
            model = LogisticRegression(C=3.0, max_iter=300).fit(self._vectors[known], labels[known])
            shares: NDArray[np.float64] = model.predict_proba(self._vectors[asked]).astype(np.float64)
            return shares

        return suspicious(labels, out_of_fold(predict, labels, 4, rng))

    def _predicted(self, rows: Ints) -> Ints:
        found = np.empty(len(rows), dtype=np.int64)
        order = np.argsort(self._tokens.lengths[rows], kind="stable")
        self._classifier.eval()
        with torch.inference_mode(), autocast(torch.device("cpu")):
            for part in np.array_split(order, -(-len(rows) // 128)):
                with self._trunk.using(rows[part]):
                    found[part] = self._classifier(*self._tokens.batch(rows[part])).argmax(dim=1).numpy()
        return found


def near_words(train: Texts, backbone: Backbone, *, least: float = 0.7, most: int = 3) -> dict[str, list[str]]:
    """For words of the training texts the nearest other ones in the untouched model's space."""
    from sklearn.feature_extraction.text import CountVectorizer

    words = CountVectorizer(token_pattern=r"[a-z]{3,}").fit(train.texts).get_feature_names_out().tolist()
    vectors = TorchEncoder(backbone, bf16=True).encode(words, "query")
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -1.0)
    nearest = np.argsort(-alike, axis=1)[:, :most]
    near = {
        word: [words[other] for other in nearest[row] if alike[row, other] >= least] for row, word in enumerate(words)
    }
    return {word: others for word, others in near.items() if others}


def linear_rights(
    texts: Sequence[str], labels: Ints, variants: Mapping[str, Sequence[Sequence[str]]], truth: Ints
) -> dict[str, list[Rights]]:
    """TF-IDF of words and of characters within words, and linear support vectors."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
    )
    model: Any = make_pipeline(features, LinearSVC()).fit(texts, labels)
    return {
        name: [(model.predict(list(texts)) == truth).astype(np.float64) for texts in lists]
        for name, lists in variants.items()
    }


def _variants(
    test: Texts, lexicon: Mapping[str, Sequence[str]], draws: int, rng: np.random.Generator
) -> dict[str, list[list[str]]]:
    """Lists of test texts by condition: one clean, `draws` of each kind of change."""
    changes: dict[str, Augmentation] = {"typos": typos(0.2), "near words": synonyms(lexicon, 0.2)}
    found = {"clean": [list(test.texts)]}
    for name, change in changes.items():
        found[name] = [[change(text, rng) for text in test.texts] for _ in range(draws)]
    return found


def _condition_rows(system: str, rights: Mapping[str, Sequence[Rights]], seconds: float = 0.0) -> Iterator[Row]:
    clean = rights["clean"][0]
    yield _row(system, clean, clean, seconds)
    for name, draws in rights.items():
        if name != "clean":
            yield _row(f"{system}, {name}", np.mean(draws, axis=0), clean)
            yield _row(f"{system}, attack by {name}", np.min(draws, axis=0), clean)


def _row(system: str, found: Rights, unharmed: Rights, seconds: float = 0.0, notes: str = "") -> Row:
    return Row(system, {"accuracy": Metric.mean(found), "drop": Metric.mean(unharmed - found)}, seconds, notes)
