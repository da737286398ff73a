"""The ear on Chinese finance: bad news, whom it is bad for, what happened, and several topics a text.

FinCUGE (`zh_finance_opinion`), learnt from its training part and looked at once on its eval part, without texts that are in
both. `--task` takes one of negative, entity, event, topics; all four otherwise. The linear TF-IDF model is tuned in the same
run. FinFE stands in `bench learning --task finfe`. `gain` is paired by text.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.contract import Metric, Row
from shopkeeper.evaluation.classification import accuracy, macro_f1
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.text import Floats
from shopkeeper.recipes.method import Method
from shopkeeper.recipes.texts.classify import learn
from shopkeeper.recipes.texts.label_marks import label_f1
from shopkeeper.recipes.texts.labelled_texts import Texts
from shopkeeper.recipes.texts.opinion import Labels, concern_texts, labels_of, learn_labels
from shopkeeper.settings import Settings
from shopkeeper.training.adversarial import FGM
from shopkeeper.training.supervised import class_numbers

_QUICK = 500
_FREQUENT = 20
_METHOD = Method(open_layers=4, rate=1e-4, epochs=3, tokens=128, batch=32, hooks=(FGM,))
Values = NDArray[np.float64]


def run(data: Path, *, task: str = "all", quick: bool = False, seed: int = 7) -> list[Row]:
    """Two rows a task: the linear model, and ours.

    Args:
        data: Folder of the public data sets.
        task: negative, entity, event or topics; all of them otherwise.
        quick: 500 texts, one epoch.
        seed: Of everything random.
    """
    chosen = TASKS if task == "all" else {task: TASKS[task]}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings.model_validate({"home": scratch})
        for ask in chosen.values():
            rows.extend(ask(data, settings, quick, seed))
    return rows


def negative(data: Path, settings: Settings, quick: bool, seed: int) -> list[Row]:
    """FinNSP: is a text bad news? Accuracy, and F1 of the bad ones."""
    train, test = (_texts(part) for part in _parts(data, "finnsp", quick, seed))
    return _classes("negative", train, test, settings, quick, seed, of="negative")


def entity(data: Path, settings: Settings, quick: bool, seed: int) -> list[Row]:
    """FinNSP: whom is it bad for? F1 over all (text, name) pairs, and texts with all names right.

    The first row is told which texts are bad news and calls all their names bad.
    """
    first, second = _parts(data, "finnsp", quick, seed)
    train, test = (concern_texts(_rows(part)) for part in (first, second))
    owners = np.repeat(np.arange(second.height), [len(dict.fromkeys(names)) for names in second["entities"]])
    wanted = np.array([label == "negative" for label in test.labels])
    began = time.perf_counter()
    taught = learn(
        train, load_backbone("e5-small", settings), settings, method=_how(quick), minutes=_minutes(quick), seed=seed
    )
    place = list(taught.classes).index("negative")
    said = {
        "linear TF-IDF, entity": taught.linear.probabilities(test.texts)[:, place] >= 0.5,
        "shopkeeper entity": taught.scorer().probabilities(test.texts)[:, place] >= 0.5,
    }
    bad = np.asarray(second["negative"].to_list(), dtype=np.bool_)
    said = {"all names of what is bad news (told)": bad[owners], **said}
    rows = []
    for name, chosen in said.items():
        right = np.ones(second.height)
        np.minimum.at(right, owners, (chosen == wanted).astype(np.float64))
        rows.append(
            Row(name, {"f1": _f1(wanted, chosen), "texts_right": Metric.mean(right)}, time.perf_counter() - began)
        )
    return rows


def event(data: Path, settings: Settings, quick: bool, seed: int) -> list[Row]:
    """FinESE: which of 22 kinds of event? Accuracy and macro F1."""
    first, second = _parts(data, "finese", quick, seed)
    train, test = (Texts(part["text"].to_list(), part["event_type"].to_list()) for part in (first, second))
    return _classes("event", train, test, settings, quick, seed)


def topics(data: Path, settings: Settings, quick: bool, seed: int) -> list[Row]:
    """FinNL: any of the topics that at least twenty training texts have. Micro and macro F1."""
    first, second = _parts(data, "finnl", quick, seed)
    train = labels_of(zip(first["text"], first["labels"], strict=True), _FREQUENT)
    place = {name: number for number, name in enumerate(train.names)}
    wanted = np.zeros((second.height, len(train.names)), dtype=np.bool_)
    for row, own in enumerate(second["labels"].to_list()):
        wanted[row, [place[name] for name in own if name in place]] = True
    began = time.perf_counter()
    taught = learn_labels(
        train,
        base=load_backbone("e5-small", settings),
        settings=settings,
        method=replace(_how(quick), hooks=(), rate=2e-4, head_rate=5.0),
        minutes=_minutes(quick),
        seed=seed,
    )
    seconds = time.perf_counter() - began
    test = Labels(second["text"].to_list(), train.names, wanted)
    linear = taught.linear.chosen(test.texts)
    ours = taught.probabilities(test.texts) >= taught.thresholds
    gain = paired_difference(_own_f1(wanted, linear), _own_f1(wanted, ours))
    return [
        Row("linear TF-IDF, topics", _label_metrics(wanted, linear)),
        Row(
            "shopkeeper topics",
            {
                **_label_metrics(wanted, ours),
                "gain": Metric(gain.mean, gain.low, gain.high),
                "share": Metric(taught.share),
            },
            seconds,
        ),
    ]


TASKS: Mapping[str, Callable[[Path, Settings, bool, int], list[Row]]] = {
    "negative": negative,
    "entity": entity,
    "event": event,
    "topics": topics,
}


def _classes(
    name: str, train: Texts, test: Texts, settings: Settings, quick: bool, seed: int, of: str = ""
) -> list[Row]:
    known = set(train.labels)
    test = test.take([row for row, label in enumerate(test.labels) if label in known])
    began = time.perf_counter()
    taught = learn(
        train, load_backbone("e5-small", settings), settings, method=_how(quick), minutes=_minutes(quick), seed=seed
    )
    seconds = time.perf_counter() - began
    wanted = class_numbers(test.labels, taught.classes)
    first, second = taught.linear.probabilities(test.texts), taught.scorer().probabilities(test.texts)
    gain = paired_difference(accuracy(wanted, first), accuracy(wanted, second))
    place = list(taught.classes).index(of) if of else -1
    rows = []
    for system, shares in ((f"linear TF-IDF, {name}", first), (f"shopkeeper {name}", second)):
        metrics = {"accuracy": Metric.mean(accuracy(wanted, shares)), "macro_f1": Metric(_macro(wanted, shares))}
        if of:
            metrics["f1"] = _f1(wanted == place, shares.argmax(axis=1) == place)
        if system.startswith("shopkeeper"):
            metrics |= {"gain": Metric(gain.mean, gain.low, gain.high), "share": Metric(taught.share)}
        rows.append(Row(system, metrics, seconds if system.startswith("shopkeeper") else 0.0))
    return rows


def _macro(wanted: NDArray[np.int64], shares: Floats) -> float:
    """Macro F1 over the classes that the test texts have."""
    present = np.unique(wanted)
    return float(macro_f1(wanted, shares.argmax(axis=1), shares.shape[1]) * shares.shape[1] / len(present))


def _parts(data: Path, name: str, quick: bool, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Training and eval rows; eval texts that are among the training ones are dropped."""
    frame = pl.read_parquet(data / "zh_finance_opinion" / f"{name}.parquet").filter(
        pl.col("text").str.strip_chars() != ""
    )
    train = frame.filter(pl.col("split") == "train").unique("text", keep="first", maintain_order=True)
    test = frame.filter((pl.col("split") != "train") & ~pl.col("text").is_in(train["text"].implode()))
    test = test.unique("text", keep="first", maintain_order=True)
    if quick:
        train, test = (part.sample(min(_QUICK, part.height), seed=seed) for part in (train, test))
    return train, test


def _texts(part: pl.DataFrame) -> Texts:
    return Texts(part["text"].to_list(), ["negative" if bad else "other" for bad in part["negative"]])


def _rows(part: pl.DataFrame) -> list[tuple[str, list[str], list[str]]]:
    return list(part.select("text", "entities", "negative_entities").iter_rows())


def _how(quick: bool) -> Method:
    return replace(_METHOD, epochs=1, hooks=()) if quick else _METHOD


def _minutes(quick: bool) -> float:
    return 1.0 if quick else 12.0


def _f1(wanted: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> Metric:
    return Metric(label_f1(wanted[:, None], chosen[:, None])[0])


def _own_f1(wanted: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> Values:
    """F1 of each text's labels; 1 where none are wanted and none given."""
    both = wanted.sum(axis=1) + chosen.sum(axis=1)
    found: Values = np.divide(2.0 * (wanted & chosen).sum(axis=1), both, out=np.ones(len(both)), where=both > 0)
    return found


def _label_metrics(wanted: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> dict[str, Metric]:
    micro, macro = label_f1(wanted, chosen)
    return {"micro_f1": Metric(micro), "macro_f1": Metric(macro), "text_f1": Metric.mean(_own_f1(wanted, chosen))}
