"""From PyTorch to an ONNX graph in int8, with its agreement measured; float32 where int8 would change the answers."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from shopkeeper.models.backbone import Backbone, Pooling, pool, run
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.heads import Classifier, TorchScorer
from shopkeeper.models.onnx import ABOUT, MODEL, TOKENIZER, OnnxEncoder, OnnxScorer
from shopkeeper.models.tagging.tagger import Tagger
from shopkeeper.progress import Span, span

ENOUGH = 0.98
_LOG = logging.getLogger(__name__)
SAMPLES = (
    "wireless noise cancelling headphones with microphone, black",
    "men's running shoes size 42",
    "ThinkPad 14 inch laptop, 16 GB memory, 512 GB SSD",
    "hp ink cartridge 301 xl",
    "Stainless steel water bottle, 750 ml, keeps drinks cold for a day. Dishwasher safe, no plastic taste.",
    "usb c",
    "gift for a five year old who likes dinosaurs",
    "Arrived late and the screen was scratched; sent it back.",
    "红色连衣裙 夏季新款 显瘦",
    "适合送给老人的手机，字体大，声音响",
    "小米 智能手环 心率监测 防水",
    "婴儿奶粉 3段 900克",
    "这个杯子保温效果很好，快递也快，好评！",
    "Nike 男士篮球鞋 白色 44码",
    "27寸 4K 显示器",
    "",
)
"""Texts on which graphs are compared with PyTorch where nothing nearer to the task is at hand."""


class _EmissionGraph(nn.Module):
    def __init__(self, model: nn.Module, linear: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.linear = linear

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        found: Tensor = self.linear(run(self.model, input_ids, attention_mask, token_type_ids).float())
        return found


class _EncoderGraph(nn.Module):
    def __init__(self, model: nn.Module, pooling: Pooling) -> None:
        super().__init__()
        self.model = model
        self.pooling = pooling

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        hidden = run(self.model, input_ids, attention_mask, token_type_ids)
        return normalize(pool(hidden, attention_mask, self.pooling), dim=-1)


def export_onnx(backbone: Backbone, folder: Path) -> float:
    """Write an encoder graph (tokens to unit vectors) for `onnx.OnnxEncoder`.

    Args:
        backbone: On any device; it is exported from the CPU and put back.
        folder: Made if missing; receives model.onnx, tokenizer.json and graph.json.

    Returns:
        Mean cosine between the graph's vectors and PyTorch's on sample texts; at least 0.98 for int8. Below that the
        float32 graph is kept instead and its agreement returned; graph.json says which it is.
    """

    def agreement() -> tuple[float, float]:
        cosines = np.sum(encoder.encode(SAMPLES) * OnnxEncoder(folder).encode(SAMPLES), axis=1)
        return float(cosines.mean()), float(cosines.min())

    encoder = TorchEncoder(backbone)
    about = {"name": backbone.name, "dimension": backbone.dimension}
    graph = _EncoderGraph(backbone.model, backbone.pooling)
    return _export(graph, backbone, folder, about, agreement)


def export_scorer(classifier: Classifier, folder: Path) -> float:
    """Write a classifier's graph (tokens to logits) for `onnx.OnnxScorer`.

    Returns:
        One minus the mean absolute difference of the last class's probability on sample pairs; treated as in
        `export_onnx`.
    """

    def agreement() -> tuple[float, float]:
        seconds = SAMPLES[::-1]
        close = 1.0 - np.abs(scorer.score(SAMPLES, seconds) - OnnxScorer(folder).score(SAMPLES, seconds))
        return float(close.mean()), float(close.min())

    scorer = TorchScorer(classifier)
    about = {"name": classifier.backbone.name, "classes": classifier.classes}
    return _export(classifier, classifier.backbone, folder, about, agreement)


def export_tagger(tagger: Tagger, folder: Path, agreement: Callable[[], tuple[float, float]]) -> float:
    """Write the graph of a tagger's body (tokens to emissions by piece) for `onnx_tagger.OnnxMember`.

    Args:
        tagger: With a backbone; its clues and its CRF stay outside of the graph.
        folder: As for `export_onnx`.
        agreement: Mean and least agreement of the graph in `folder` with PyTorch over some texts.

    Returns:
        The mean; treated as in `export_onnx`.
    """
    backbone, linear = tagger.backbone, tagger.linear
    assert backbone is not None
    assert linear is not None
    about = {"name": backbone.name, "tags": tagger.tags, "unknown": backbone.tokenizer.unk_token_id}
    return _export(_EmissionGraph(backbone.model, linear), backbone, folder, about, agreement)


def _export(graph: nn.Module, backbone: Backbone, folder: Path, about: dict[str, Any], agreement: Any) -> float:
    folder.mkdir(parents=True, exist_ok=True)
    pad = backbone.tokenizer.pad_token_id
    about |= {"pad": 0 if pad is None else pad, "max_length": backbone.max_length, "prefixes": dict(backbone.prefixes)}
    backbone.tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))
    with span(f"Exporting {backbone.name}", total=3, unit="steps") as progress, TemporaryDirectory(dir=folder) as aside:
        full = Path(aside) / MODEL
        _to_onnx(graph, full)
        progress.advance()
        return _settle(full, backbone, folder, about, agreement, progress)


def _settle(
    full: Path, backbone: Backbone, folder: Path, about: dict[str, Any], agreement: Any, progress: Span
) -> float:
    _narrow(full, backbone, folder / MODEL)
    mean, least = _measure(folder, about | {"precision": "int8"}, agreement)
    progress.advance(agreement=f"{mean:.4f}")
    if mean < ENOUGH:
        _LOG.warning("int8 agrees only %.4f with PyTorch for %s: the float32 graph is kept.", mean, about["name"])
        full.replace(folder / MODEL)
        mean, least = _measure(folder, about | {"precision": "float32"}, agreement)
    progress.advance(lowest=f"{least:.4f}")
    return mean


def _narrow(full: Path, backbone: Backbone, target: Path) -> None:
    """Quantise in int8, or in half of its range where that is nearer: some processors' sums of int8 products overflow."""
    ids = backbone.tokenizer(list(SAMPLES), padding=True, truncation=True, max_length=32, return_tensors="np")
    mask = ids["attention_mask"].astype(np.int64)
    feed = {
        "input_ids": ids["input_ids"].astype(np.int64),
        "attention_mask": mask,
        "token_type_ids": np.zeros_like(mask),
    }

    def said(graph: Path) -> NDArray[np.float32]:
        session = onnxruntime.InferenceSession(os.fspath(graph), providers=["CPUExecutionProvider"])
        found: NDArray[np.float32] = session.run(None, feed)[0]
        return found[mask > 0] if found.shape[:2] == mask.shape else found

    right = said(full)
    half = full.with_name("half.onnx")
    _quantise(full, target, half=False)
    _quantise(full, half, half=True)
    if np.abs(said(half) - right).max() < np.abs(said(target) - right).max():
        half.replace(target)


def _measure(folder: Path, about: dict[str, Any], agreement: Any) -> tuple[float, float]:
    """Write graph.json, run the graph, and write what was found into graph.json as well."""
    place = folder / ABOUT
    place.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    mean, least = agreement()
    measured = about | {"agreement": {"mean": round(mean, 5), "min": round(least, 5)}}
    place.write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return mean, least


def _to_onnx(graph: nn.Module, path: Path) -> None:
    device = next(graph.parameters()).device
    training = graph.training
    ids = torch.ones((2, 7), dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    try:
        with hushed():
            torch.onnx.export(
                graph.eval().cpu(),
                (ids, mask, torch.zeros_like(ids)),
                path,
                input_names=["input_ids", "attention_mask", "token_type_ids"],
                output_names=["output"],
                dynamic_shapes=(free, free, free),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    finally:
        graph.to(device).train(training)


def _quantise(source: Path, target: Path, *, half: bool) -> None:
    """Weights of matrix products in int8 by channel, the embedding matrix in int8; in 7 bits where `half`."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with hushed():
        quantize_dynamic(
            os.fspath(source), os.fspath(target), weight_type=QuantType.QInt8, per_channel=True, reduce_range=half
        )


@contextmanager
def hushed() -> Iterator[None]:
    """Hide the exporter's notes that name nothing the reader can act on."""
    exporter = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    root = logging.getLogger()
    root.addFilter(_no_preprocessing_advice)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\).*", category=FutureWarning)
            yield
    finally:
        root.removeFilter(_no_preprocessing_advice)
        exporter.setLevel(level)


def _no_preprocessing_advice(record: logging.LogRecord) -> bool:
    return "run pre-processing before quantization" not in record.getMessage()
