"""Plots of benches, as PNG files beside their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def frontier(file: Path, points: Mapping[str, tuple[float, float]], across: str, up: str) -> None:
    """Systems as points (across, up), `across` on a logarithmic scale; a line joins those that no other one dominates.

    Args:
        file: PNG to write.
        points: (cost, quality) of each system; less cost and more quality is better.
        across: What the cost is.
        up: What the quality is.
    """
    figure, axes = _page(across, up)
    axes.set_xscale("log")
    for number, (name, (cost, quality)) in enumerate(sorted(points.items(), key=lambda point: -point[1][1]), 1):
        colour = "#0072B2" if name.startswith("shopkeeper") else "#666666"
        axes.scatter(cost, quality, color=colour, zorder=3, label=f"{number}  {name.removeprefix('shopkeeper ')}")
        above = (4, 4) if number % 2 else (4, -12)  # neighbours do not write over each other
        axes.annotate(str(number), (cost, quality), xytext=above, textcoords="offset points", fontsize=9)
    axes.legend(frameon=False, fontsize=8, loc="lower right", handlelength=0.8)
    best = [point for point in points.values() if not any(_beats(other, point) for other in points.values())]
    axes.plot(*zip(*sorted(best), strict=True), color="#E69F00", linewidth=1.5, zorder=2)
    axes.margins(x=0.25, y=0.1)
    _write(figure, file)


def curves(file: Path, lines: Mapping[str, Sequence[float]], across: str, up: str) -> None:
    """One line a system over periods 1, 2, ..."""
    figure, axes = _page(across, up)
    for name, values in lines.items():
        axes.plot(range(1, len(values) + 1), values, marker=".", label=name)
    axes.set_xticks(range(1, 1 + max(map(len, lines.values()), default=0)))
    axes.legend(frameon=False, fontsize=8)
    _write(figure, file)


def lines(file: Path, drawn: Mapping[str, Sequence[tuple[float, float]]], across: str, up: str) -> None:
    """One line a way of doing something, through its points (across, up)."""
    figure, axes = _page(across, up)
    for name, points in drawn.items():
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=name)
    axes.legend(frameon=False, fontsize=8)
    _write(figure, file)


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] >= other[1]


def _page(across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.5, 4.8), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=across, ylabel=up)
    axes.grid(alpha=0.3)
    return figure, axes


def _write(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120, metadata={"Software": None})
