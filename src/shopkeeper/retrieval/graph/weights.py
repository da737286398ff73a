"""How much each way through the graph counts, learnt from what customers took next."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from shopkeeper.retrieval.graph.neighbours import GraphNeighbours
from shopkeeper.retrieval.histories import Floats, Histories
from shopkeeper.retrieval.shelf import Rows

_ASKED: Final = 2_000
_RIDGE: Final = 1e-3


def learn_relation_weights(
    source: GraphNeighbours,
    past: Histories,
    users: NDArray[np.int64],
    targets: Rows,
    *,
    rivals: int = 50,
    popularity: Floats | None = None,
    seed: int = 7,
) -> dict[str, float]:
    """Weights under which the item taken next stands out among others: a conditional logit (McFadden 1974).

    Maximises the mean log probability of each target among `rivals` random items, a softmax of the weighted scores along
    the ways, under weights that are not negative and a small ridge. Takes seconds.

    Args:
        source: Gives the ways; its own weights do not matter.
        past: One history a user; give those of validation, never of the test.
        users: int64 (t,), the user of every target.
        targets: int64 (t,), rows taken next; those the user had already are left out.
        rivals: Other items a target is held against.
        popularity: float32 (rows,), how often rivals are drawn; None draws all alike. Where customers take what is popular, draw by
            popularity, or the ways that lead to popular items are taken for good ones.
        seed: Which targets (of more than 2,000) and which rivals.

    Returns:
        Name of the way to weight, for `GraphNeighbours`; all alike where there is nothing to learn from.
    """
    rng = np.random.default_rng(seed)
    names = [way.name for way in source.ways]
    graph, width = source.graph, len(source.graph.shelf)
    living = graph.items()
    tastes = past.weights(source.decay, width)
    mine = users * width + targets
    had = tastes.tocoo()
    usable = np.isin(targets, living) & ~np.isin(mine, had.row.astype(np.int64) * width + had.col)
    chosen = rng.permutation(np.flatnonzero(usable))[:_ASKED]
    if not len(chosen) or not names:
        return dict.fromkeys(names, 1.0)
    chances = None
    if popularity is not None and popularity[living].sum() > 0:
        chances = popularity[living].astype(np.float64) / popularity[living].sum(dtype=np.float64)
    others = rng.choice(living, size=(len(chosen), rivals), p=chances)
    rows = np.concatenate([targets[chosen][:, None], others], axis=1)
    asked = np.repeat(users[chosen], rivals + 1)
    scores = source.evidence(tastes, rows.ravel(), asked).reshape(*rows.shape, len(names))
    open_ = others != targets[chosen][:, None]
    return dict(zip(names, _logit(scores.astype(np.float64), open_).tolist(), strict=True))


def _logit(scores: NDArray[np.float64], open_: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights for scores, float64 (targets, 1 + rivals, ways), the target first; rivals count where `open_`."""
    scale = np.maximum(np.abs(scores).mean(axis=(0, 1)) * scores.shape[2], 1e-9)
    scaled = scores / scale
    mask = np.concatenate([np.ones((len(scores), 1), dtype=np.bool_), open_], axis=1)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = np.where(mask, scaled @ weights, -np.inf)
        logits -= logits.max(axis=1, keepdims=True)
        chance = np.exp(logits)
        chance /= chance.sum(axis=1, keepdims=True)
        value = -float(np.log(np.maximum(chance[:, 0], 1e-300)).mean()) + _RIDGE * float(weights @ weights)
        expected = np.einsum("tr,trw->w", chance, scaled) / len(scaled)
        return value, expected - scaled[:, 0].mean(axis=0) + 2 * _RIDGE * weights

    start = np.ones(scores.shape[2])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(start))
    weights = np.asarray(found.x / scale, dtype=np.float64)
    most = float(weights.max())
    return weights / most if most > 0 else np.ones_like(weights)
