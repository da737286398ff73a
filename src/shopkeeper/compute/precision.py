"""When to compute in bfloat16: where the hardware multiplies it natively, and only inside matrix products."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def bf16_helps(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32 on `device`, judged by the instructions it offers.

    On a CPU these are AMX or AVX-512 BF16; without them bfloat16 is emulated and slower.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return _cpu_has_bf16()
    return False


def autocast(device: torch.device, enabled: bool = True) -> AbstractContextManager[object]:
    """A context in which matrix products run in bfloat16 where that helps, and everything in float32 otherwise.

    Weights, losses and norms stay float32 either way.
    """
    if enabled and bf16_helps(device):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def _cpu_has_bf16() -> bool:
    offered = torch.cpu.get_capabilities()
    return bool(offered.get("amx_bf16") or offered.get("avx512_bf16"))
