"""Our off-policy estimates beside those of obp 0.4.1, on the same rows of Open Bandit: they must be the same numbers.

obp lives in an environment of its own, ``.peers/obp`` (``make peers-ads``). It has no clipped estimator to compare with.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.contract import ROOT, Metric, Row
from bench.search_peers import interpreter
from shopkeeper.evaluation import offpolicy
from shopkeeper.evaluation.offpolicy import Logged

Floats = NDArray[np.float64]

_MOST = 10.0
_PRIOR = 400.0


def agreement(name: str, served: pl.DataFrame, policy: Floats) -> list[Row]:
    """One row for each estimator of obp; none where its environment is missing.

    Args:
        name: Of the row.
        served: Log of the policy that served.
        policy: float64 (items, places), the policy asked about.
    """
    python = interpreter("obp")
    if not python.exists():
        print("obp is left out: its environment is missing. Make it with: make peers-ads", file=sys.stderr)
        return []
    item, place = served["item_id"].to_numpy().astype(np.int64), served["position"].to_numpy().astype(np.int64) - 1
    reward = served["click"].to_numpy().astype(np.float64)
    shown = np.bincount(item, minlength=len(policy))
    rate = (np.bincount(item, reward, minlength=len(policy)) + _PRIOR * reward.mean()) / (shown + _PRIOR)
    model = rate[:, None] * np.array([1.0, 0.9, 0.8])
    chance = served["propensity_score"].to_numpy().astype(np.float64)
    expected = (policy * model).sum(axis=0)[place]
    log = Logged(
        np.arange(len(item)), place + 1, reward, chance, policy[item, place], model[item, place], expected, len(item)
    )
    ours = {
        "ips": offpolicy.importance(log),
        "snips": offpolicy.self_normalised(log),
        "snips over all places": offpolicy.self_normalised(replace(log, place=np.ones_like(log.place))),
        "direct": offpolicy.direct(log),
        "dr": offpolicy.doubly_robust(log),
        "switch": offpolicy.switch(log, _MOST),
    }
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "log.npz"
        np.savez(file, reward=reward, action=item, position=place, pscore=chance, policy=policy, model=model)
        command = [str(python), "-W", "ignore", "-m", "bench.peers.obp_estimates", str(file), str(_MOST)]
        where = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=where, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"bench.peers.obp_estimates failed:\n{done.stderr[-4000:]}")
    theirs: dict[str, float] = json.loads(done.stdout)
    return [
        Row(
            f"obp {name}: {label}",
            {"clicks": Metric(value), "difference": Metric(abs(value - float(ours[label].mean())))},
        )
        for label, value in theirs.items()
    ]
