"""Words and pictures of 4,076 fashion products: found again, told apart, fused, swapped, and what it costs.

Everything is learnt on 70-odd percent of the photos and chosen on a tenth; the figures are of the rest, whose titles and
photos were never seen. `words to photo` looks for the photo of a title among all held-out photos, `photo to words` for the
title of a photo. The rival knows colours and kinds by name: how much of the photo has the colours that the title names, and
how probable the photo makes the kinds of product that it names (logistic regression on the same picture vectors).
"""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from bench.contract import ROOT, Metric, Row, peak_mb
from bench.fashion import Fashion, fashion
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.models.pictures.bridge import Span
from shopkeeper.models.pictures.colours import NAMED
from shopkeeper.models.pictures.fusion import KINDS
from shopkeeper.models.pictures.images import open_picture, squared
from shopkeeper.models.pictures.modes import Modes, modes_of
from shopkeeper.models.text import Floats
from shopkeeper.recipes.pictures.bridging import Pairs, learn_bridge, reciprocal_ranks, spans
from shopkeeper.recipes.pictures.fusing import Answering, Questions, correct, learn_fusion, tensors
from shopkeeper.tasks.guard.picture_check import surprise

Ints = NDArray[np.int64]
_SHARES = (0.1, 0.25, 0.5, 1.0)
_SWAPPED = 0.05
_NEAR = 10
_SHEET = (
    "red dress for women",
    "black leather shoes",
    "blue denim jeans",
    "white sports shoes",
    "brown handbag",
    "silver watch",
)


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """Rows by question: finding again, attributes, similar items, swapped photos, cost.

    Args:
        data: Folder of the public data sets.
        quick: 600 photos and a few epochs.
        seed: Of the split, of learning and of the bootstrap.
    """
    with tempfile.TemporaryDirectory() as scratch:
        began = time.perf_counter()
        shop = fashion(data, Path(scratch) / "shop", quick=quick, seed=seed)
        encoded = time.perf_counter() - began
        minutes = 0.2 if quick else 5.0
        modes = modes_of(shop.text, shop.shots)
        types = np.unique([item.attributes.get("type", "") for item in shop.items], return_inverse=True)[1]
        pairs = Pairs([shop.text], modes.picture, shop.group, types.astype(np.int64))
        rows, across = _found_again(shop, pairs, minutes, seed)
        attributes, fused = _attributes(shop, modes, minutes, seed)
        rows += attributes
        rows += _similar(shop, modes, fused, across, seed)
        rows += _swapped(shop, pairs, across, seed)
        rows += _cost(shop, data, encoded, across)
        if not quick:
            _sheet(shop, across, ROOT / "bench" / "results" / "pictures.jpg")
    return rows


def _found_again(shop: Fashion, pairs: Pairs, minutes: float, seed: int) -> tuple[list[Row], tuple[Span, Span]]:
    test = pairs.at(shop.parts.test)
    count = len(test)
    rows = [Row("chance", {f"words_to_photo@{k}": Metric(min(1.0, k / count)) for k in (1, 5, 10)})]
    rival = _by_name(shop, pairs)
    same = test.group[:, None] == test.group[None, :]
    rows.append(Row("colours and kinds by name", _recalls(rival, same, seed)))
    baseline = (reciprocal_ranks(rival, same) >= 1 / _NEAR).astype(np.float64)
    order = np.random.default_rng(seed).permutation(shop.parts.train)
    across: tuple[Span, Span] | None = None
    for share in _SHARES:
        learnt = order[: max(64, int(share * len(order)))]
        began = time.perf_counter()
        bridge, report = learn_bridge(pairs.at(learnt), pairs.at(shop.parts.valid), minutes=minutes, seed=seed)
        across = spans(bridge)
        cosines = across[0](test.texts[0]) @ across[1](test.pictures).T
        found = (reciprocal_ranks(cosines, same) >= 1 / _NEAR).astype(np.float64)
        gain = paired_difference(baseline, found, seed=seed)
        metrics = _recalls(cosines, same, seed) | {"gain@10": Metric(gain.mean, gain.low, gain.high)}
        name = f"shopkeeper bridge, {len(learnt):,} pairs"
        rows.append(Row(name, metrics, time.perf_counter() - began, f"{report}; among {count} photos"))
    assert across is not None
    return rows, across


def _recalls(cosines: Floats, same: NDArray[np.bool_], seed: int) -> dict[str, Metric]:
    out: dict[str, Metric] = {}
    for way, scores in (("words_to_photo", cosines), ("photo_to_words", cosines.T)):
        inverse = reciprocal_ranks(scores, same)
        out |= {f"{way}@{k}": Metric.mean(inverse >= 1 / k, seed) for k in (1, 5, 10)}
    return out


def _by_name(shop: Fashion, pairs: Pairs) -> Floats:
    """Scores of all held-out titles with all held-out photos, float32 (n, n)."""
    train, test = shop.parts.train, shop.parts.test
    kinds = [shop.items[row].attributes.get("type", "") for row in train.tolist()]
    model = LogisticRegression(C=10.0, max_iter=400).fit(pairs.pictures[train], kinds)
    chances = model.predict_proba(pairs.pictures[test])
    titles = [f" {shop.items[row].title.casefold()} " for row in test.tolist()]
    names = [str(name).casefold() for name in model.classes_]
    named = np.array([[_stands(name, title) for name in names] for title in titles], dtype=np.float32)
    coloured = np.array([[f" {name} " in title for name in NAMED] for title in titles], dtype=np.float32)
    shares = shop.shots.colours[test] ** 2
    scores = named @ chances.T / np.maximum(named.sum(axis=1, keepdims=True), 1) + coloured @ shares.T
    return np.asarray(scores + 1e-6 * np.random.default_rng(0).random(scores.shape), dtype=np.float32)


def _stands(name: str, title: str) -> bool:
    return name in title or (name.endswith("s") and f"{name[:-1]} " in title)


def _attributes(shop: Fashion, modes: Modes, minutes: float, seed: int) -> tuple[list[Row], Answering]:
    questions = Questions.of(shop.items, shop.parts.train)
    train, valid, test = shop.parts.train, shop.parts.valid, shop.parts.test
    asked, right = modes.at(test), questions.labels[test]
    rows, best, chosen = [], -1.0, None

    def learnt(name: str, kind: str, own: Modes) -> tuple[Answering, float, Row, list[Floats]]:
        began = time.perf_counter()
        model, report = learn_fusion(kind, own, questions, train, valid, minutes=minutes, seed=seed)  # type: ignore[arg-type]
        found = correct(model, own.at(test), right)
        metrics = {what: Metric.mean(values, seed) for what, values in zip(questions.names, found, strict=True)}
        return model, float(report.best or 0.0), Row(name, metrics, time.perf_counter() - began, str(report)), found

    alone = {}
    for name, place in (("text alone", 0), ("picture alone", 1)):
        _, _, row, alone[name] = learnt(name, "concat", modes.only(place))
        rows.append(row)
    better = [max(pair, key=lambda values: float(values.mean())) for pair in zip(*alone.values(), strict=True)]
    for kind in KINDS:
        model, score, row, found = learnt(f"shopkeeper {kind}", kind, modes)
        gains = [paired_difference(one, own, seed=seed) for one, own in zip(better, found, strict=True)]
        lost = [correct(model, asked.only(place), right) for place in (0, 1)]
        notes = "against the better one alone: " + ", ".join(
            f"{name} {gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
            for name, gain in zip(questions.names, gains, strict=True)
        )
        notes += "; with the picture lost {:.3f}, with the words lost {:.3f} on average".format(
            *(np.mean([values.mean() for values in one]) for one in lost)
        )
        rows.append(Row(row.system, row.metrics, row.seconds, f"{notes}; validation {score:.4f}"))
        if score > best:
            best, chosen = score, model
    assert chosen is not None
    return rows, chosen


def _similar(shop: Fashion, modes: Modes, fused: Answering, across: tuple[Span, Span], seed: int) -> list[Row]:
    """Share of the ten nearest held-out items that agree, by text, by picture, fused."""
    import torch

    test = shop.parts.test
    own = modes.at(test)
    with torch.inference_mode():
        joined = fused.fusion(*tensors(own)).numpy()
    spaces = {
        "similar by text": own.text,
        "similar by picture, as encoded": own.picture,
        "shopkeeper similar by picture": across[1](own.picture),
        "shopkeeper similar, fused": joined,
        "shopkeeper similar, text and fused": np.hstack([_unit(own.text), _unit(joined)]),
    }
    labels = {
        name: np.array([shop.items[row].attributes.get(name, "") for row in test.tolist()])
        for name in ("type", "colour", "gender", "season")
    }
    itself = shop.group[test][:, None] == shop.group[test][None, :]
    rows = []
    for name, vectors in spaces.items():
        near = np.argsort(-np.where(itself, -np.inf, _unit(vectors) @ _unit(vectors).T), axis=1, kind="stable")[
            :, :_NEAR
        ]
        metrics = {
            what: Metric.mean((values[near] == values[:, None]).mean(axis=1), seed) for what, values in labels.items()
        }
        rows.append(Row(name, metrics, notes="agreement at 10"))
    return rows


def _swapped(shop: Fashion, pairs: Pairs, across: tuple[Span, Span], seed: int) -> list[Row]:
    """Average precision of finding photos that were swapped among the held-out products."""
    test = shop.parts.test
    rng = np.random.default_rng(seed)
    wrong = rng.choice(len(test), max(4, int(_SWAPPED * len(test))), replace=False)
    shown = np.arange(len(test))
    shown[wrong] = np.roll(wrong, 1)
    truth = np.zeros(len(test), dtype=np.bool_)
    truth[wrong] = True
    text, picture = across[0](pairs.texts[0][test]), across[1](pairs.pictures[test][shown])
    agreement = np.sum(text * picture, axis=1)
    by_name = -_by_name(shop, pairs)[np.arange(len(test)), shown]
    scores = {
        "chance": rng.random(len(test)),
        "colours and kinds by name": by_name,
        "shopkeeper agreement": -agreement,
        "shopkeeper agreement, ranked": surprise(text, picture, picture),
    }
    notes = f"{len(wrong)} of {len(test)} photos swapped"
    return [
        Row(f"swapped: {name}", {"average_precision": _precision(truth, values, seed)}, notes=notes)
        for name, values in scores.items()
    ]


def _precision(truth: NDArray[np.bool_], scores: NDArray[np.floating], seed: int) -> Metric:
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(len(truth), size=len(truth)) for _ in range(500)]
    values = [average_precision_score(truth[rows], scores[rows]) for rows in drawn if truth[rows].any()]
    low, high = np.quantile(values, [0.025, 0.975])
    return Metric(float(average_precision_score(truth, scores)), float(low), float(high))


def _cost(shop: Fashion, data: Path, encoded: float, across: tuple[Span, Span]) -> list[Row]:
    import polars as pl
    import torch

    from shopkeeper.compute.device import set_threads
    from shopkeeper.models.pictures.efficientnet import NAME, SIDE, TorchPictures, load_body
    from shopkeeper.settings import ComputeSettings

    photos = pl.read_parquet(data / "fashion-product-images" / "images.parquet")["jpeg"][:256].to_list()
    compute = ComputeSettings(device="cpu")
    set_threads(compute)
    began = time.perf_counter()
    pixels = [squared(open_picture(photo), SIDE) for photo in photos]
    opened = time.perf_counter() - began
    plain = TorchPictures(load_body(), NAME, SIDE, compute)
    seconds: dict[str, float] = {}
    for name, encode in (
        ("PyTorch, batches of 32", plain.encode),
        ("shopkeeper ONNX int8", shop.gallery.encoder.encode),
    ):
        encode(pixels[:32])
        began = time.perf_counter()
        encode(pixels)
        seconds[name] = (time.perf_counter() - began) / len(pixels) * 1000
    fastest = seconds["PyTorch, batches of 32"]
    rows = [
        Row(
            f"encoding, {name}",
            {"s_per_1000": Metric(value), "ratio": Metric(fastest / value)},
            notes=f"{torch.get_num_threads()} threads; opening {1000 * opened / len(pixels):.2f} s per 1,000",
        )
        for name, value in seconds.items()
    ]
    index = across[1](np.hstack([shop.shots.vectors, shop.shots.colours]))
    asked = []
    for photo in photos[:200]:
        began = time.perf_counter()
        square = squared(open_picture(photo), SIDE)
        place = across[1](np.hstack([shop.gallery.encoder.encode([square]), shop.shots.colours[:1]]))
        np.argpartition(-(index @ place[0]), _NEAR)
        asked.append(time.perf_counter() - began)
    p50, p95 = np.percentile(np.array(asked) * 1000, [50, 95])
    rows.append(
        Row(
            "shopkeeper search by photo",
            {
                "p50_ms": Metric(p50),
                "p95_ms": Metric(p95),
                "index_mb": Metric(index.nbytes / 1e6),
                "rss_mb": Metric(peak_mb()),
            },
            encoded,
            "open, encode, project, compare; one after another",
        )
    )
    return [*rows, _clips(shop)]


def _clips(shop: Fashion, count: int = 20) -> Row:
    """Seconds per 1,000 clips of three seconds made of photos, decoded and encoded."""
    import av

    from shopkeeper.models.pictures.videos import open_video

    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number in range(count):
            paths.append(Path(folder) / f"{number}.mp4")
            with av.open(str(paths[-1]), "w") as container:
                stream = container.add_stream("libx264", rate=24)
                stream.width = stream.height = 480
                stream.pix_fmt = "yuv420p"
                for second in range(3):
                    row = (number * 3 + second) % len(shop.items)
                    photo = open_picture(shop.gallery.media / shop.items[row].images[0]).resize((480, 480))
                    for _ in range(24):
                        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(photo), format="rgb24")))
                container.mux(stream.encode())
        began = time.perf_counter()
        frames = 0
        for path in paths:
            pixels, _ = open_video(path, shop.gallery.encoder.side)
            shop.gallery.encoder.encode(pixels)
            frames += len(pixels)
        seconds = time.perf_counter() - began
    return Row(
        "shopkeeper clips of 3 s",
        {"s_per_1000": Metric(1000 * seconds / count)},
        notes=f"{frames / count:.1f} frames kept of 72, 480 x 480",
    )


def _sheet(shop: Fashion, across: tuple[Span, Span], path: Path) -> None:
    """What the held-out photos give for some words, a line each, for looking at."""
    from shopkeeper.models.serving import encoders
    from shopkeeper.settings import Settings

    test = shop.parts.test
    known = np.hstack([shop.shots.vectors, shop.shots.colours])[test]
    with tempfile.TemporaryDirectory() as scratch:
        words = encoders(Settings(home=Path(scratch)), None, "minilm").query.encode(list(_SHEET), "query")
    order = np.argsort(-(across[0](words) @ across[1](known).T), axis=1)[:, :8]
    sheet = Image.new("RGB", (8 * 112, len(_SHEET) * 112), "white")
    for line, places in enumerate(order):
        for place, found in enumerate(places.tolist()):
            item = shop.items[int(test[found])]
            photo = open_picture(shop.gallery.media / item.images[0]).resize((112, 112))
            sheet.paste(photo, (place * 112, line * 112))
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=80)
    path.write_bytes(file.getvalue())


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), dtype=np.float32)
