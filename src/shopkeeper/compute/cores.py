"""How many CPU threads to use; apart from `device`, so that serving can ask without loading PyTorch."""

from __future__ import annotations

import os

from shopkeeper.settings import ComputeSettings


def threads(settings: ComputeSettings) -> int:
    """CPU threads for training and bulk encoding: the setting, or the cores this process may use."""
    return settings.threads or cores()


def cores() -> int:
    """CPU cores this process may run on, which a container may limit below the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
