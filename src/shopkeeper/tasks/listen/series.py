"""Readings folded: counts and feelings over time, and what stands out in a period."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from shopkeeper.errors import InputError
from shopkeeper.store.documents import Readings
from shopkeeper.tasks.listen.reading import BY, NEGATIVE, Reading, reading_of

_MOST_CELLS: Final = 200_000
_SCHEMA: Final = {
    "time": pl.Datetime("us", "UTC"),
    "key": pl.String,
    "posts": pl.Int64,
    "copies": pl.Int64,
    "negative": pl.Int64,
    "sentiment": pl.Float64,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One key of a digest.

    Attributes:
        key: Topic, brand, item, source, entity or risk.
        posts: How many posts, without those that repeat others.
        before: How many in the period of the same length before.
        negative: Complaints among them.
        sentiment: Their mean, from -1 to 1.
        examples: Ids of telling posts: the most negative where most are, else the most positive.
    """

    key: str
    posts: int
    before: int
    negative: int
    sentiment: float
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Digest:
    """What was written in [start, end).

    Attributes:
        posts: Posts read, copies included, muted ones not.
        copies: Those that repeat earlier ones.
        negative: Complaints.
        sentiment: Mean of all that is no copy.
        lines: By each of `listen.reading.BY`, what was written about most.
    """

    start: datetime
    end: datetime
    posts: int
    copies: int
    negative: int
    sentiment: float
    lines: dict[str, tuple[Line, ...]]


def heard(readings: Readings, start: datetime | None = None, end: datetime | None = None) -> Iterable[Reading]:
    """Readings of posts written in [start, end), without muted ones."""
    return (reading for document in readings.scan(start, end) if not (reading := reading_of(document)).muted)


def series(
    readings: Iterable[Reading], by: str, start: datetime, end: datetime, step: timedelta, most: int = 50
) -> pl.DataFrame:
    """Counts and feelings in steps of time.

    Args:
        readings: Of posts written in [start, end); see `heard`.
        by: One of `listen.reading.BY`.
        start: Where the first step begins.
        end: Where the last one ends, at the latest.
        step: Length of a step.
        most: Keys that are kept, those with most posts.

    Returns:
        Columns time (begin of the step, UTC), key, posts (copies included), copies, negative, sentiment (mean, 0 where
        nothing was written); a row for each kept key and step, ordered by key and time.

    Raises:
        InputError: `by` is unknown, or there would be more than 200,000 rows.
    """
    check_by(by)
    if step < timedelta(seconds=1) or end <= start:
        raise InputError(
            "The period or the step is empty.", where="step", cure="Give an end after the start, and a step."
        )
    steps = -(-(end - start) // step)
    if steps * most > _MOST_CELLS:
        raise InputError(
            f"{steps} steps of {most} series are too many.", where="step", cure="Use a longer step or a shorter period."
        )
    rows = [
        ((reading.time - start) // step, key, bool(reading.duplicate_of), reading.feeling(by, key))
        for reading in readings
        if start <= reading.time < end
        for key in reading.keys(by)
    ]
    table = pl.DataFrame(
        rows, schema={"step": pl.Int64, "key": pl.String, "copy": pl.Boolean, "felt": pl.Float64}, orient="row"
    )
    largest = table.group_by("key").len().sort(["len", "key"], descending=[True, False]).head(most)["key"]
    counted = table.filter(pl.col("key").is_in(largest.implode())).group_by("key", "step").agg(
        posts=pl.len().cast(pl.Int64),
        copies=pl.col("copy").sum().cast(pl.Int64),
        negative=(pl.col("felt") <= NEGATIVE).sum().cast(pl.Int64),
        sentiment=pl.col("felt").mean(),
    )  # fmt: skip
    grid = pl.DataFrame({"key": largest.sort()}).join(
        pl.DataFrame({"step": range(steps)}, schema={"step": pl.Int64}), how="cross"
    )
    filled = grid.join(counted, on=["key", "step"], how="left").fill_null(0).sort("key", "step")
    time = pl.lit(start.astimezone(UTC)) + pl.col("step") * pl.duration(microseconds=step // timedelta(microseconds=1))
    return filled.with_columns(time=time).select(*_SCHEMA).cast(_SCHEMA)  # type: ignore[arg-type]


def digest(
    readings: Iterable[Reading],
    start: datetime,
    end: datetime,
    by: Sequence[str] = BY,
    most: int = 8,
    examples: int = 3,
) -> Digest:
    """What stands out in a period, against the one before it.

    Args:
        readings: Of posts written from `start` less the length of the period; see `heard`.
        start: Of the period.
        end: Of the period.
        by: What to split by.
        most: Keys of each.
        examples: Posts of each key.
    """
    for name in by:
        check_by(name)
    now, before = [], []
    for reading in readings:
        if start <= reading.time < end:
            now.append(reading)
        elif start - (end - start) <= reading.time < start and not reading.duplicate_of:
            before.append(reading)
    new = [reading for reading in now if not reading.duplicate_of]
    return Digest(
        start,
        end,
        len(now),
        len(now) - len(new),
        sum(reading.negative for reading in new),
        _mean([reading.sentiment for reading in new]),
        {name: tuple(_lines(new, before, name, most, examples)) for name in by},
    )


def check_by(by: str) -> None:
    """Refuse what series cannot be split by.

    Raises:
        InputError: `by` is none of `BY`.
    """
    if by not in BY:
        raise InputError(f"Series cannot be split by {by!r}.", where="by", cure=f"Choose among {', '.join(BY)}.")


def _lines(now: Sequence[Reading], before: Sequence[Reading], by: str, most: int, examples: int) -> Iterable[Line]:
    felt: dict[str, list[tuple[float, str]]] = {}
    for reading in now:
        for key in reading.keys(by):
            felt.setdefault(key, []).append((reading.feeling(by, key), reading.post))
    past: dict[str, int] = {}
    for reading in before:
        for key in reading.keys(by):
            past[key] = past.get(key, 0) + 1
    for key in sorted(felt, key=lambda one: (-len(felt[one]), one))[:most]:
        values = [value for value, _ in felt[key]]
        mean = _mean(values)
        telling = sorted(felt[key], key=lambda one: one[0], reverse=mean > 0)[:examples]
        negative = sum(value <= NEGATIVE for value in values)
        yield Line(key, len(values), past.get(key, 0), negative, mean, tuple(post for _, post in telling))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
