"""Pictures of training and evaluation as PNG files: learning curve, confusions, reliability, history of a search.

Colours are those of Okabe and Ito (2008), told apart by colour-blind readers; whatever is told by colour is told by
shape or number as well. No window system, no global state: every picture is a figure of its own.
"""

from __future__ import annotations

import importlib.util
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shopkeeper.evaluation.classification import calibration_error, reliability
from shopkeeper.extras import require

__all__ = ["confusion_matrix", "drawable", "learning_curve", "reliability_diagram", "search_history"]

BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
_CHINESE = ("Noto Sans CJK SC", "Noto Sans CJK TC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Zen Hei",
            "PingFang SC", "Microsoft YaHei", "SimHei")  # fmt: skip
_NAMED = 30  # classes up to which a matrix names and numbers every cell


def drawable() -> bool:
    """Is matplotlib there?"""
    return importlib.util.find_spec("matplotlib") is not None


def learning_curve(
    losses: Sequence[float], scores: Sequence[tuple[int, float]] = (), *, best_step: int | None = None, score: str = ""
) -> bytes:
    """Training loss of each step, smoothed, and validation below it.

    Args:
        losses: One a step.
        scores: (step, validation score) of each check.
        best_step: The step whose state was kept.
        score: What validation measures.

    Raises:
        ExtraMissingError: matplotlib is not installed; so do all functions here.
    """
    with _figure(6.4, 5.2 if scores else 3.2) as (figure, save):
        axes = figure.subplots(2 if scores else 1, 1, sharex=True, squeeze=False)[:, 0]
        steps = np.arange(1, len(losses) + 1)
        axes[0].plot(steps, losses, color=BLUE, alpha=0.25, linewidth=0.8, label="each step")
        axes[0].plot(steps, _smooth(losses), color=BLUE, linewidth=1.8, label="smoothed")
        axes[0].set_ylabel("training loss")
        axes[0].legend(frameon=False)
        if scores:
            axes[1].plot(*zip(*scores, strict=True), color=RED, marker="o", markersize=5)
            axes[1].set_ylabel(f"validation {score}".strip())
            kept = dict(scores).get(best_step) if best_step is not None else None
            if kept is not None:
                axes[1].plot([best_step], [kept], "*", color=GREEN, markersize=16, label=f"kept: {kept:.4f}")
                axes[1].legend(frameon=False, loc="lower right")
        axes[-1].set_xlabel("step")
        return save()


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, names: Sequence[str]) -> bytes:
    """How often each class was taken for which: a row a true class, shares of the row as colour, counts as numbers.

    Args:
        labels: int (n,), places in `names`.
        predicted: int (n,), places in `names`.
        names: The classes.
    """
    wanted, given = np.asarray(labels, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (wanted, given), 1)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    few = len(names) <= _NAMED
    side = min(14.0, 3.2 + 0.45 * len(names)) if few else 8.0
    with _figure(side + 0.8, side) as (figure, save):
        axes = figure.subplots()
        picture = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
        figure.colorbar(picture, ax=axes, label="share of the true class", fraction=0.046)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        if few:
            axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
            axes.set_yticks(range(len(names)), names)
            for row, column in zip(*counts.nonzero(), strict=True):
                colour = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=colour, fontsize=8)
        return save()


def reliability_diagram(labels: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> bytes:
    """What was promised against what came true, in stretches that hold equally many rows; below, how often each.

    Args:
        labels: 0 or 1 (n,). For several classes: was the likeliest one right?
        probabilities: float (n,), of class 1, or of the likeliest class.
        bins: Stretches.
    """
    found = reliability(labels, probabilities, bins)
    error = calibration_error(labels, probabilities, bins)
    promised = np.array([part.promised for part in found])
    true = np.array([part.found for part in found])
    spread = 1.96 * np.sqrt(true * (1 - true) / np.array([max(1, part.count) for part in found]))
    with _figure(5.2, 6.0) as (figure, save):
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="honest")
        upper.errorbar(
            promised,
            true,
            yerr=spread,
            color=BLUE,
            marker="o",
            capsize=3,
            label=f"model, calibration error {error:.3f}",
        )
        upper.set(ylabel="came true", xlim=(0, 1), ylim=(0, 1))
        upper.legend(frameon=False, loc="upper left")
        lower.hist(np.asarray(probabilities, dtype=np.float64), bins=np.linspace(0, 1, 21).tolist(), color=GREY)
        lower.set(xlabel="promised probability", ylabel="rows")
        return save()


def search_history(scores: Sequence[float | None], pruned: Sequence[bool], *, score: str = "score") -> bytes:
    """Score of each trial in order, the best so far, and the defaults, which are the first trial.

    Args:
        scores: Of each trial; the last one seen for those stopped early, None where there is none.
        pruned: Was the trial stopped early?
        score: What it measures.
    """
    numbers = np.arange(len(scores))
    values = np.array([np.nan if value is None else value for value in scores], dtype=np.float64)
    early = np.array(pruned, dtype=np.bool_)
    best = np.fmax.accumulate(np.where(early, np.nan, values)) if len(values) else values
    with _figure(6.4, 3.8) as (figure, save):
        axes = figure.subplots()
        axes.plot(numbers[~early], values[~early], "o", color=BLUE, label="finished")
        axes.plot(numbers[early], values[early], "x", color=ORANGE, label="stopped early")
        axes.step(numbers, best, where="post", color=GREEN, linewidth=1.8, label="best so far")
        if len(values) and np.isfinite(values[0]):
            axes.axhline(values[0], color=GREY, linestyle="--", linewidth=1, label="defaults (trial 0)")
        axes.set(xlabel="trial", ylabel=score)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False)
        return save()


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Any, Callable[[], bytes]]]:
    """A figure in inches, and what turns it into a PNG; Chinese where a font for it is installed, boxes elsewhere."""
    matplotlib = require("matplotlib", "plots")
    figures = require("matplotlib.figure", "plots")
    fonts = require("matplotlib.font_manager", "plots")
    known = {font.name for font in fonts.fontManager.ttflist}
    family = ["DejaVu Sans", *(name for name in _CHINESE if name in known)]
    style = {"font.family": family, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False}
    with matplotlib.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = figures.Figure(figsize=(width, height), layout="constrained")

        def save() -> bytes:
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
            return buffer.getvalue()

        yield figure, save


def _smooth(losses: Sequence[float]) -> Any:
    """Mean over a window of about a fiftieth of the run, at least 5 steps, shorter at the edges."""
    values = np.asarray(losses, dtype=np.float64)
    half = max(2, len(values) // 100)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    low = np.maximum(0, np.arange(len(values)) - half)
    high = np.minimum(len(values), np.arange(len(values)) + half + 1)
    return (sums[high] - sums[low]) / (high - low)
