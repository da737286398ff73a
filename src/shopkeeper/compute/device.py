"""Which device computes, and with how many threads."""

from __future__ import annotations

import torch

from shopkeeper.compute.cores import threads
from shopkeeper.errors import SettingsError
from shopkeeper.settings import ComputeSettings


def pick_device(settings: ComputeSettings) -> torch.device:
    """The device that `settings.device` names; ``auto`` prefers CUDA, then Apple's MPS, then the CPU.

    Raises:
        SettingsError: The name is unknown, or the device is not on this machine.
    """
    name = settings.device.strip().lower()
    if name == "auto":
        return torch.device("cuda" if _has("cuda") else "mps" if _has("mps") else "cpu")
    kind = name.partition(":")[0]
    if kind not in ("cpu", "cuda", "mps"):
        raise SettingsError(
            f"{settings.device!r} is not a device.", where="compute.device", cure="Use auto, cpu, cuda or mps."
        )
    if not _has(kind):
        raise SettingsError(
            f"This machine offers no {kind} to PyTorch.",
            where="compute.device",
            cure="Set it to auto or cpu, or install the PyTorch build for this hardware.",
        )
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise SettingsError(
            f"{settings.device!r} is not a device.", where="compute.device", cure="Write for example cuda:0."
        ) from error


def set_threads(settings: ComputeSettings) -> int:
    """Tell PyTorch how many threads to use, and return the number."""
    count = threads(settings)
    torch.set_num_threads(count)
    return count


def _has(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_available()
    if kind == "mps":
        return torch.backends.mps.is_available()
    return True
