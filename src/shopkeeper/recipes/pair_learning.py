"""Learning whether two questions mean the same from pairs that people judged.

Two thirds of the pairs teach trees, an encoder and a cross-encoder; the rest finds how they are blended and where "the
same" begins, on pairs that none of them has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import lightgbm
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.classification import auc
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.heads import Classifier, TorchScorer
from shopkeeper.models.logistic import logistic
from shopkeeper.models.text import Encoder, Scorer
from shopkeeper.retrieval.pair_features import PairFeatures
from shopkeeper.retrieval.pair_model import PairModel, cosine, evidence, pair_table
from shopkeeper.training.batching import Buckets, Ints
from shopkeeper.training.criteria import classes
from shopkeeper.training.freezing import open_top
from shopkeeper.training.loop import fit
from shopkeeper.training.plan import FitReport, FitSettings
from shopkeeper.training.supervised import labelled, supervised
from shopkeeper.training.texts import tokenise, tokenise_pairs

_FEWEST: Final = 40
_TOKENS: Final = 64
_TREES: Final[dict[str, Any]] = {
    "objective": "binary", "learning_rate": 0.05, "num_leaves": 31, "min_data_in_leaf": 20, "feature_fraction": 0.8,
    "bagging_fraction": 0.8, "bagging_freq": 1, "verbosity": -1, "num_threads": 2, "deterministic": True,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pairs:
    """n pairs of questions, and which of them mean the same, bool (n,)."""

    first: Sequence[str]
    second: Sequence[str]
    same: NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.same)

    def take(self, rows: Ints) -> Pairs:
        """Some of them."""
        return Pairs(
            [self.first[row] for row in rows.tolist()], [self.second[row] for row in rows.tolist()], self.same[rows]
        )


def parted(pairs: Pairs, share: float, seed: int) -> tuple[Pairs, Pairs]:
    """Two parts that have no question in common; pairs that are linked by their questions stay together.

    Args:
        pairs: n pairs.
        share: Of the second part, about.
        seed: Of the order in which linked pairs are given to it.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    place = {text: number for number, text in enumerate(dict.fromkeys([*pairs.first, *pairs.second]))}
    one, other = (np.array([place[text] for text in side]) for side in (pairs.first, pairs.second))
    count, group = connected_components(
        coo_array((np.ones(len(one)), (one, other)), shape=(len(place), len(place))), False
    )
    own = group[one]
    order = np.random.default_rng(seed).permutation(count)
    sizes = np.bincount(own, minlength=count)[order]
    second = np.zeros(count, dtype=np.bool_)
    second[order[np.cumsum(sizes) <= share * len(pairs)]] = True
    return pairs.take(np.flatnonzero(~second[own])), pairs.take(np.flatnonzero(second[own]))


def learn_pairs(
    learn: Pairs,
    blend: Pairs,
    *,
    raw: Encoder | None = None,
    tuned: Encoder | None = None,
    cross: Scorer | None = None,
    seed: int = 7,
) -> PairModel:
    """Trees, and how they are blended with models that learnt from the same pairs.

    Args:
        learn: What the trees learn from, and what `tuned` and `cross` learnt from.
        blend: Pairs that none of them has seen.
        raw: An encoder as it came.
        tuned: One from `tune_encoder`.
        cross: One from `tune_cross`.
        seed: Of the trees.

    Raises:
        TrainingError: There are too few pairs of either sort.
    """
    for part in (learn, blend):
        if min(int(part.same.sum()), int((~part.same).sum())) < _FEWEST // 2:
            raise TrainingError(
                f"Of {len(part)} pairs {int(part.same.sum())} mean the same; learning needs {_FEWEST // 2} of each sort.",
                where="replies",
                cure="Judge more pairs of questions.",
            )
    features = PairFeatures([*learn.first, *learn.second])
    shown, unseen = (pair_table(features, raw, part.first, part.second) for part in (learn, blend))
    known = lightgbm.Dataset(shown, learn.same.astype(np.float64), params={"verbosity": -1})
    trees = lightgbm.train(
        {**_TREES, "seed": seed},
        known,
        num_boost_round=600,
        valid_sets=[lightgbm.Dataset(unseen, blend.same.astype(np.float64), reference=known)],
        callbacks=[lightgbm.early_stopping(40, verbose=False)],
    )
    plain = PairModel(features, trees, raw, tuned, cross, np.zeros(0, dtype=np.float32), 0.0, 0.5)
    table = evidence(plain, blend.first, blend.second)
    weights, bias = logistic(table, blend.same, penalty=0.1)
    chances = 1 / (1 + np.exp(-(table @ weights + bias)))
    return PairModel(features, trees, raw, tuned, cross, weights, bias, f1_threshold(chances, blend.same))


def f1_threshold(scores: NDArray[np.floating], right: NDArray[np.bool_]) -> float:
    """The least score that counts as yes, for the best F1.

    >>> f1_threshold(np.array([0.9, 0.6, 0.5, 0.1]), np.array([True, False, True, False]))
    0.3
    """
    order = np.argsort(-scores, kind="stable")
    f1 = 2 * np.cumsum(right[order]) / (np.arange(1, len(order) + 1) + max(int(right.sum()), 1))
    at = int(f1.argmax())
    below = scores[order[at + 1]] if at + 1 < len(order) else 0.0
    return float((scores[order[at]] + below) / 2)


def tune_encoder(
    backbone: Backbone,
    learn: Pairs,
    valid: Pairs,
    settings: FitSettings,
    *,
    layers: int | None = 6,
    batch: int = 64,
    seed: int = 7,
) -> FitReport:
    """Fine-tune an encoder, in place, until questions that mean the same are nearer than those that do not.

    The loss is log(1 + sum exp(20 (cos of a wrong pair - cos of a right pair))) over all such couples of a batch: CoSENT
    (Su 2022), which needs no threshold and does not mind that most pairs are wrong.

    Args:
        backbone: The encoder.
        learn: To learn from.
        valid: To choose the state by, by the area under the curve.
        settings: Epochs, minutes, rate.
        layers: How many layers from the top learn; None for all.
        batch: Pairs of one step.
        seed: Of everything random.
    """
    open_top(backbone.model, layers)
    sides = [tokenise(backbone, texts, "passage", _TOKENS) for texts in (learn.first, learn.second)]
    same = torch.from_numpy(learn.same)
    encoder = TorchEncoder(backbone, bf16=settings.bfloat16)

    def loss(_: nn.Module, rows: Ints) -> Tensor:
        one, other = (
            backbone.unit_vectors(*(part.to(backbone.model.device) for part in side.batch(rows))).float()
            for side in sides
        )
        return co_sent((one * other).sum(dim=1), same[torch.from_numpy(rows)].to(one.device))

    return fit(
        backbone.model,
        Buckets(sides[0].lengths + sides[1].lengths, batch, lambda rows: rows),
        loss,
        settings,
        validate=lambda: auc(valid.same, cosine(encoder, valid.first, valid.second)),
        seed=seed,
        name="Teaching the encoder which questions are the same",
    )


def co_sent(cosines: Tensor, same: Tensor, scale: float = 20.0) -> Tensor:
    """See `tune_encoder`; 0 where a batch holds one sort only.

    Args:
        cosines: float (n,).
        same: Bool (n,).
        scale: Inverse temperature.
    """
    apart = scale * (cosines[~same][:, None] - cosines[same][None, :]).flatten()
    return torch.logsumexp(torch.cat([torch.zeros(1, device=cosines.device), apart]), dim=0)


def tune_cross(
    backbone: Backbone,
    learn: Pairs,
    valid: Pairs,
    settings: FitSettings,
    *,
    layers: int | None = 6,
    batch: int = 32,
    seed: int = 7,
) -> tuple[Classifier, FitReport]:
    """Fine-tune a cross-encoder: one pass reads both questions. Arguments as for `tune_encoder`."""
    open_top(backbone.model, layers)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = Classifier(backbone, classes=2)
    classifier.to(backbone.model.device)
    rows = tokenise_pairs(backbone, learn.first, learn.second, _TOKENS)
    scorer = TorchScorer(classifier, bf16=settings.bfloat16)
    report = fit(
        classifier,
        labelled(rows, learn.same.astype(np.int64), batch),
        supervised(classes()),
        settings,
        validate=lambda: auc(valid.same, scorer.score(valid.first, valid.second)),
        seed=seed,
        name="Teaching a reader of both questions",
    )
    return classifier, report
