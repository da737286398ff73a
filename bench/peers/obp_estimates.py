"""obp's estimates of the very log that ours were made from, as JSON on standard output.

Saito et al. 2021, "Open Bandit Dataset and Pipeline". SNIPS is taken for each place by itself and weighed by the place's share
of the pages, as ours is, and once over all places, as obp does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from obp.ope import (  # type: ignore[import-not-found, unused-ignore]
    DirectMethod,
    DoublyRobust,
    InverseProbabilityWeighting,
    SelfNormalizedInverseProbabilityWeighting,
    SwitchDoublyRobust,
)


def main(file: Path, most: float) -> None:
    """Read arrays reward, action, position, pscore (n,), policy and model (items, places), and print estimates by name."""
    with np.load(file) as arrays:
        logged = {name: arrays[name] for name in ("reward", "action", "position", "pscore")}
        policy, model = arrays["policy"], arrays["model"]
    n = len(logged["reward"])
    given = {
        **logged,
        "action_dist": np.broadcast_to(policy, (n, *policy.shape)),
        "estimated_rewards_by_reg_model": np.broadcast_to(model, (n, *model.shape)),
    }
    ratio = SelfNormalizedInverseProbabilityWeighting()
    snips = 0.0
    for place in np.unique(logged["position"]):
        own = logged["position"] == place
        snips += own.mean() * ratio.estimate_policy_value(**{name: values[own] for name, values in given.items()})
    estimators = {
        "ips": InverseProbabilityWeighting(),
        "snips over all places": ratio,
        "direct": DirectMethod(),
        "dr": DoublyRobust(),
        "switch": SwitchDoublyRobust(tau=most),
    }
    found = {name: float(estimator.estimate_policy_value(**given)) for name, estimator in estimators.items()}
    print(json.dumps(found | {"snips": float(snips)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
