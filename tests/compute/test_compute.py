from __future__ import annotations

import numpy as np
import pytest
import torch

from shopkeeper.compute.cores import cores, threads
from shopkeeper.compute.device import pick_device, set_threads
from shopkeeper.compute.precision import autocast, bf16_helps
from shopkeeper.compute.seeds import seed_everything
from shopkeeper.errors import SettingsError
from shopkeeper.settings import ComputeSettings

CPU = torch.device("cpu")


def test_devices() -> None:
    assert pick_device(ComputeSettings(device="cpu")) == CPU
    assert pick_device(ComputeSettings()).type in ("cpu", "cuda", "mps")
    for name in ("tpu", "", "cpu:x"):
        with pytest.raises(SettingsError):
            pick_device(ComputeSettings(device=name))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_an_absent_device_says_so() -> None:
    with pytest.raises(SettingsError, match="no cuda"):
        pick_device(ComputeSettings(device="cuda"))


def test_threads() -> None:
    assert threads(ComputeSettings(threads=3)) == 3
    assert threads(ComputeSettings()) == cores() >= 1
    before = torch.get_num_threads()
    try:
        assert set_threads(ComputeSettings(threads=1)) == torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_autocast_changes_products_only_where_it_helps() -> None:
    a = torch.ones(4, 4)
    with autocast(CPU):
        product = a @ a
    assert product.dtype == (torch.bfloat16 if bf16_helps(CPU) else torch.float32)
    with autocast(CPU, enabled=False):
        assert (a @ a).dtype == torch.float32


def test_seeds_repeat() -> None:
    first = (seed_everything(5).random(3).tolist(), torch.rand(3).tolist(), np.random.rand())
    assert first == (seed_everything(5).random(3).tolist(), torch.rand(3).tolist(), np.random.rand())
    assert first[0] != seed_everything(6).random(3).tolist()
