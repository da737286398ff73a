"""A fusion as an ONNX graph, for serving without PyTorch."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from shopkeeper.models.export import hushed
from shopkeeper.models.pictures.fusion import MODES, Fusion

INPUTS = (*MODES, "seen")
"""Names of the graph's inputs, in the order of `Fusion.forward`; its one output is ``hidden``."""


def export_fusion(fusion: Fusion, samples: Sequence[Tensor]) -> bytes:
    """Write the graph that `sight.Sight` runs.

    Args:
        fusion: Left as it is.
        samples: Two items or more, as `Fusion.forward` takes them.
    """
    graph = copy.deepcopy(fusion).cpu().eval()
    free = {0: torch.export.Dim.DYNAMIC}
    with hushed():
        program = torch.onnx.export(
            graph,
            tuple(samples),
            input_names=list(INPUTS),
            output_names=["hidden"],
            dynamic_shapes=tuple(free for _ in INPUTS),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    written: bytes = program.model_proto.SerializeToString()
    return written
