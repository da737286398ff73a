"""From PyTorch to an ONNX graph of a picture encoder in int8, with its agreement measured; float32 where int8 says something else."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

from shopkeeper.models.export import ENOUGH, hushed
from shopkeeper.models.onnx import ABOUT, MODEL
from shopkeeper.models.pictures.graph import OnnxPictures
from shopkeeper.models.pictures.images import Pixels
from shopkeeper.models.text import Floats, unit
from shopkeeper.progress import span

_TENDER = 4
"""Convolutions at the beginning that stay in float32: rounding there is carried through all that follow."""
_STEP = 8


def export_pictures(body: nn.Module, folder: Path, name: str, side: int, samples: Sequence[Pixels]) -> float:
    """Write the graph that `picture_graph.OnnxPictures` reads.

    Args:
        body: Pictures uint8 (n, side, side, 3) to vectors float32 (n, d), on the CPU.
        folder: Made if missing; receives model.onnx and graph.json.
        name: Of the encoder.
        side: Pixels of a side.
        samples: Pictures like those to be encoded, at least two; half of them set the ranges of int8, on the other half
            the graph is held against PyTorch.

    Returns:
        Mean cosine between the graph's vectors and PyTorch's; at least 0.98 for int8, below which float32 is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known, asked = samples[::2], samples[1::2]
    with span(f"Exporting {name}", total=3, unit="steps") as progress, TemporaryDirectory(dir=folder) as aside:
        with torch.inference_mode():
            right = unit(np.concatenate([body(torch.from_numpy(one[None])).numpy() for one in asked]))
        full, ready = Path(aside) / "full.onnx", Path(aside) / "ready.onnx"
        free = {0: torch.export.Dim.DYNAMIC}
        with hushed():
            torch.onnx.export(
                body,
                (torch.zeros((2, side, side, 3), dtype=torch.uint8),),
                full,
                input_names=["pictures"],
                output_names=["vectors"],
                dynamic_shapes=(free,),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
            progress.advance()
            about = {"name": name, "side": side, "dimension": int(right.shape[1])}
            quant_pre_process(os.fspath(full), os.fspath(ready), skip_symbolic_shape=True)
            _quantise(ready, folder / MODEL, known)
        agreement = _agreement(folder, about | {"precision": "int8"}, asked, right)
        progress.advance(agreement=f"{agreement:.4f}")
        if agreement < ENOUGH:
            full.replace(folder / MODEL)
            agreement = _agreement(folder, about | {"precision": "float32"}, asked, right)
        progress.advance()
    return agreement


class _Samples(CalibrationDataReader):  # type: ignore[misc]
    """Hands the quantiser a few pictures at a time."""

    def __init__(self, pictures: Sequence[Pixels]) -> None:
        self._left = [np.stack(list(pictures[at : at + _STEP])) for at in range(0, len(pictures), _STEP)]

    def get_next(self) -> dict[str, Pixels] | None:
        return {"pictures": self._left.pop()} if self._left else None


def _quantise(source: Path, target: Path, samples: Sequence[Pixels]) -> None:
    """Convolutions and what stands between them in int8, by channel; weights in 7 bits, as sums of 8 overflow on some CPUs."""
    convolutions = [node.name for node in onnx.load(source).graph.node if node.op_type == "Conv"]
    quantize_static(
        os.fspath(source),
        os.fspath(target),
        _Samples(samples),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv", "Add", "Clip", "MatMul", "Gemm"],
        nodes_to_exclude=convolutions[:_TENDER],
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
    )


def _agreement(folder: Path, about: dict[str, object], asked: Sequence[Pixels], right: Floats) -> float:
    """Write graph.json, run the graph, and write what was found into graph.json as well."""
    place = folder / ABOUT
    place.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    cosines = np.sum(OnnxPictures(folder).encode(asked) * right, axis=1)
    found = {"mean": round(float(cosines.mean()), 5), "min": round(float(cosines.min()), 5)}
    place.write_text(json.dumps(about | {"agreement": found}, indent=1) + "\n", encoding="utf-8")
    return float(cosines.mean())
