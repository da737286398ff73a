"""One seed for everything random."""

from __future__ import annotations

import random

import numpy as np
import torch


def seed_everything(seed: int) -> np.random.Generator:
    """Seed Python, numpy's legacy state and PyTorch, and return a generator to pass down.

    Libraries that draw from global state become repeatable; our own code draws from the generator only.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    return np.random.default_rng(seed)
