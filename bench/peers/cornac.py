"""cornac's BPR (Rendle et al. 2009), settings chosen on validation."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cornac.data import Dataset  # type: ignore[import-not-found, unused-ignore]
from cornac.models import BPR  # type: ignore[import-not-found, unused-ignore]

from bench.peers.sequences import Learner, Scores, chosen, pairs, read_exam

_SEED = 7


def main(folder: Path, system: str) -> None:
    """Learn and name items; `system` is ``bpr``."""
    items = read_exam(folder).items
    settings: dict[str, Learner] = {
        f"factors {factors}, rate {rate}": _learner(items, factors, rate)
        for factors in (64, 128)
        for rate in (0.05, 0.1)
    }
    chosen(folder, f"cornac-{system}", settings)


def _learner(items: int, factors: int, rate: float) -> Learner:
    def learn(sequences: Sequence[Sequence[int]]) -> Scores:
        users, rows = pairs(sequences)
        data = Dataset.from_uir(list(zip(users.tolist(), rows.tolist(), [1.0] * len(rows), strict=True)), seed=_SEED)
        model = BPR(k=factors, max_iter=200, learning_rate=rate, lambda_reg=0.01, num_threads=1, seed=_SEED)
        model.fit(data)
        place = np.array([data.iid_map.get(item, -1) for item in range(items)])
        known = place >= 0

        def scores(who: Any) -> Any:
            table = np.full((len(who), items), -1e9, dtype=np.float32)
            for row, user in enumerate(who.tolist()):
                table[row, known] = np.asarray(model.score(data.uid_map[user]))[place[known]]
            return table

        return scores

    return learn


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
