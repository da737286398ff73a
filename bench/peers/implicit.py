"""implicit's alternating least squares and BPR, settings chosen on validation around those of its authors.

Least squares: Hu, Koren & Volinsky 2008; the weights of what was seen and the regularisation are searched, as Rendle et al.
2022 ("Revisiting the performance of iALS on item recommendation benchmarks") found that they decide. BPR: Rendle et al. 2009.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares  # type: ignore[import-not-found, unused-ignore]
from implicit.bpr import BayesianPersonalizedRanking  # type: ignore[import-not-found, unused-ignore]

from bench.peers.sequences import Learner, Scores, chosen, pairs, read_exam

_SEED = 7


def main(folder: Path, system: str) -> None:
    """Learn and name items; `system` is ``als`` or ``bpr``."""
    items = read_exam(folder).items
    settings: dict[str, Learner]
    if system == "als":
        settings = {
            f"factors {factors}, alpha {alpha}, regularisation {regularization}": _learner(
                items,
                lambda factors=factors, alpha=alpha, regularization=regularization: AlternatingLeastSquares(
                    factors=factors,
                    alpha=alpha,
                    regularization=regularization,
                    iterations=15,
                    random_state=_SEED,
                    num_threads=1,
                ),
            )
            for factors in (128, 256)
            for alpha in (1.0, 10.0)
            for regularization in (0.1, 1.0)
        }
    else:
        settings = {
            f"factors {factors}, rate {rate}": _learner(
                items,
                lambda factors=factors, rate=rate: BayesianPersonalizedRanking(
                    factors=factors,
                    learning_rate=rate,
                    regularization=0.01,
                    iterations=150,
                    random_state=_SEED,
                    num_threads=1,
                ),
            )
            for factors in (64, 128)
            for rate in (0.05, 0.1)
        }
    chosen(folder, f"implicit-{system}", settings)


def _learner(items: int, make: Any) -> Learner:
    def learn(sequences: Sequence[Sequence[int]]) -> Scores:
        users, rows = pairs(sequences)
        seen = sp.csr_matrix((np.ones(len(rows), np.float32), (users, rows)), shape=(len(sequences), items))
        model = make()
        model.fit(seen, show_progress=False)
        return lambda who: np.asarray(model.user_factors[who] @ model.item_factors.T, dtype=np.float32)

    return learn


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
