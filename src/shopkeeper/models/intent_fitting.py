"""Fitting `IntentModel`: one linear system, and everything else from its leave-one-out answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotri

from shopkeeper.errors import TrainingError
from shopkeeper.models.decisions import sigmoid
from shopkeeper.models.intent_seeds import seeds
from shopkeeper.models.intents import Encode, IntentModel, Parts, grams, signs
from shopkeeper.models.logistic import logistic
from shopkeeper.models.serving import Encoders
from shopkeeper.models.term_space import TermSpace
from shopkeeper.models.text import Floats, unit

Values = NDArray[np.float64]

BLEND: Final = 0.7
"""Share of the vectors in the similarity of two messages; TF-IDF has the rest."""
PENALTY: Final = 0.1
"""Of the ridge."""
_ENOUGH = 20
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class _Solved:
    """A ridge regression.

    Attributes:
        weights: float64 (n, k), of each example.
        margins: float64 (n, k), what the regression without an example says of it.
    """

    weights: Values
    margins: Values


def fit_intents(
    texts: Sequence[str],
    wanted: Sequence[Collection[str]],
    encode: Encode,
    *,
    blend: float = BLEND,
    penalty: float = PENALTY,
    seed: int = 0,
) -> IntentModel:
    """Learn intents from examples.

    Messages with no intent teach what is outside. Without at least twenty of them, intents are held out in turn, and
    their examples stand for the unknown.

    Args:
        texts: n messages.
        wanted: The intents of each, none for messages that are about something else.
        encode: Their vectors.
        blend: Share of the vectors, in [0, 1].
        penalty: Of the ridge, above 0.
        seed: Of the parting of intents.

    Raises:
        TrainingError: There are no intents.
    """
    names = sorted({name for own in wanted for name in own})
    if not names:
        raise TrainingError("No message has an intent.", where="intents", cure="Give some examples of each intent.")
    place = {name: column for column, name in enumerate(names)}
    held = np.zeros((len(texts), len(names)), dtype=np.bool_)
    for row, own in enumerate(wanted):
        held[row, [place[name] for name in own]] = True
    vectors = encode(texts)
    centre = vectors.mean(axis=0)
    vectors = unit(vectors - centre)
    space = TermSpace(texts, grams)
    rows = space.rows(texts)
    alike = np.asarray(vectors @ vectors.T, dtype=np.float64)
    kernel = blend * alike + (1 - blend) * (rows @ rows.T).toarray() + 1.0
    solved = _solve(kernel, held, penalty)
    scale = _honest(solved.margins, held)
    columns = np.unique(rows.indices).astype(np.int64)
    parts = Parts(
        centre=centre.astype(np.float32),
        on_vectors=(blend * solved.weights.T @ vectors).astype(np.float32),
        on_grams=((1 - blend) * (rows.T @ solved.weights)[columns]).astype(np.float32),
        columns=columns,
        bias=solved.weights.sum(axis=0).astype(np.float32),
        scale=scale,
        examples=vectors,
        outside=_outside(kernel, alike, held, solved, penalty, seed),
    )
    chances = sigmoid(np.asarray(scale[0] * solved.margins + scale[1], dtype=np.float32))
    return IntentModel(names, space, parts, encode, threshold=best_threshold(chances, held))


def seeded(encoders: Encoders) -> IntentModel:
    """What the shipped examples teach; their vectors are remembered on disk, so only the first time takes long."""
    shipped = seeds()
    model = fit_intents([seed.text for seed in shipped], [seed.intents for seed in shipped], encoders.passage.encode)
    return model.reading(lambda texts: encoders.query.encode(texts, "passage"))


def best_threshold(chances: Floats, held: NDArray[np.bool_]) -> float:
    """The least probability at which an intent holds, for the best micro F1.

    Args:
        chances: float (n, k).
        held: Bool (n, k), the truth.
    """
    order = np.argsort(-chances, axis=None)
    right = np.cumsum(held.ravel()[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + max(int(held.sum()), 1))
    best = int(f1.argmax())
    ordered = chances.ravel()[order]
    above, below = ordered[best], ordered[min(best + 1, len(order) - 1)]
    return float(np.clip((above + below) / 2, 0.05, 0.95))


def _solve(kernel: Values, held: NDArray[np.bool_], penalty: float) -> _Solved:
    """The leave-one-out answer of a ridge regression is y - (G y) / diag(G) with G the inverse of K + penalty."""
    targets = np.where(held, 1.0, -1.0)
    factor, wrong = dpotrf(kernel + penalty * np.eye(len(kernel)), lower=True)
    inverse, singular = dpotri(factor, lower=True)
    if wrong or singular:
        raise TrainingError("The examples cannot be told apart.", where="intents", cure="Use a penalty above 0.")
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    weights = inverse @ targets
    return _Solved(weights, targets - weights / np.diag(inverse)[:, None])


def _honest(margins: Values, held: NDArray[np.bool_]) -> Floats:
    """Slope and offset from margins to log-odds (Platt 1999), the same for all intents: some have few examples."""
    if held.all():
        return np.array([1.0, 2.0], dtype=np.float32)
    slope, offset = logistic(margins.reshape(-1, 1), held.ravel(), penalty=0.01)
    return np.array([slope[0], offset], dtype=np.float32)


def _outside(
    kernel: Values, alike: Values, held: NDArray[np.bool_], solved: _Solved, penalty: float, seed: int
) -> Floats:
    """Weights of `signs` that tell messages about something else, float32 (4,)."""
    nearest = alike.copy()
    np.fill_diagonal(nearest, -1.0)
    foreign = ~held.any(axis=1)
    if foreign.sum() >= _ENOUGH:
        own = nearest[:, ~foreign].max(axis=1)
        shown, truth = signs(solved.margins.astype(np.float32), own.astype(np.float32)), foreign
    else:
        pairs = list(_held_out(kernel, nearest, held, penalty, seed))
        if not pairs:
            return np.array([0.0, 0.0, 0.0, -4.0], dtype=np.float32)
        shown, truth = np.concatenate([pair[0] for pair in pairs]), np.concatenate([pair[1] for pair in pairs])
    weights, offset = logistic(shown, truth, penalty=0.1, balanced=True)
    return np.append(weights, offset).astype(np.float32)


def _held_out(
    kernel: Values, nearest: Values, held: NDArray[np.bool_], penalty: float, seed: int
) -> list[tuple[Floats, NDArray[np.bool_]]]:
    """`signs` of all messages while a fifth of the intents is unknown, and which messages that makes foreign."""
    count = held.shape[1]
    fold = np.random.default_rng(seed).permutation(count) % min(_FOLDS, count)
    pairs = []
    for number in range(int(fold.max()) + 1):
        columns = np.flatnonzero(fold != number)
        known = held[:, columns].any(axis=1)
        unknown = np.logical_and(held.any(axis=1), ~known)
        inside = np.flatnonzero(~unknown)
        if not len(columns) or not known.any() or not unknown.any():
            continue
        part = _solve(kernel[np.ix_(inside, inside)], held[np.ix_(inside, columns)], penalty)
        margins = np.zeros((len(held), len(columns)))
        margins[inside] = part.margins
        margins[unknown] = kernel[np.ix_(unknown, inside)] @ part.weights
        shown = signs(margins.astype(np.float32), nearest[:, inside].max(axis=1).astype(np.float32))
        pairs.append((shown, unknown))
    return pairs
