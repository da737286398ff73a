"""Surges planted in streams of real posts: recall, delay and false alarms a week, against four control charts.

Posts of `zh_shopping_reviews` (ten categories), `zh_finance_opinion` (news topics) and `financial_phrasebank` (English) are
drawn into streams with a rhythm of day and week, negative binomial noise and days that differ by chance; topics, complaints
and sources are the series. Four quiet weeks come first. On their last two the charts choose their limits so that they raise
one false alarm a week, which is what ours is set to. Then come four weeks with planted surges (by 1.5 to 5, short, long or
slow, and complaints alone at the same volume), and once more the same four weeks without them, for false alarms. Those
have a holiday of two days on which everybody writes 1.6 times as much, and three topics that grow by 8 % a week.

A planted surge is found when its topic's posts or complaints alarm while it lasts and did not before. An alarm is silent for
six hours and counts once a topic or source. Everybody looks once an hour. `named` and `evidence` are of whole alerts: is the
planted topic the first name, and what share of the alert's posts are the planted topic's.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.contract import Metric, Row
from shopkeeper.records import Passage, PassageKind
from shopkeeper.settings import ListenSettings
from shopkeeper.store.database import open_store
from shopkeeper.tasks.listen.alarms import Alarms
from shopkeeper.tasks.listen.counts import DAY, HOUR, QUARTER, Series
from shopkeeper.tasks.listen.reading import Reading
from shopkeeper.tasks.listen.surges import Surges

_START = datetime(2026, 1, 5, tzinfo=UTC)
_FIRST = int(_START.timestamp()) // QUARTER
_TRAIN, _TEST = 28, 28
_DAYS = _TRAIN + _TEST
_WARM = 14
"""Days of the quiet weeks that nobody is judged by."""
_SOURCES = 5
_EVERY = 26
"""Hours between planted surges."""
_SILENT = 6
_HOLIDAY = (38, 40, 1.6)
_GROWTH = 0.08
_GROWING = 3
_KINDS: dict[str, tuple[float, int, str]] = {
    "x1.5": (1.5, 24, "step"),
    "x2": (2.0, 12, "step"),
    "x3": (3.0, 6, "step"),
    "x5": (5.0, 3, "step"),
    "slow": (2.5, 48, "ramp"),
    "complaints": (3.0, 12, "mood"),
}
"""Factor, hours and shape of each kind of surge; "mood" leaves the volume as it is."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pool:
    """Real posts by topic."""

    names: tuple[str, ...]
    texts: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    complaints: Floats


@dataclass(frozen=True, slots=True)
class Planted:
    """A surge that was planted: hours [start, end) since the stream began."""

    kind: str
    topic: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Stream:
    """Counts in quarter-hours, float (series, slots); series are topics, their complaints, sources, their complaints."""

    counts: Floats
    planted: tuple[Planted, ...]

    @property
    def hours(self) -> Floats:
        """The same in hours."""
        hours: Floats = self.counts.reshape(len(self.counts), -1, HOUR).sum(2)
        return hours


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """All detectors on the same streams.

    Args:
        data: Folder with the three sets.
        quick: One pair of streams in place of three.
        seed: Of streams and surges.
    """
    pool = _pool(data)
    seeds = [seed + number for number in range(1 if quick else 3)]
    pairs = [(_stream(pool, one, planted=False), _stream(pool, one, planted=True)) for one in seeds]
    rows = [_row("shopkeeper", pairs, pool, _ours)]
    for name, chart in _CHARTS.items():
        limit = _tuned([pair[0].hours for pair in pairs], chart, len(pool.names))
        rows.append(_row(name, pairs, pool, partial(_charted, chart, limit)))
    rows.append(_alerts(pool, seed))
    rows.append(_speed(1_000 if quick else 10_000, seed))
    return rows


def _pool(data: Path) -> Pool:
    found: dict[str, tuple[list[str], list[str]]] = {}
    reviews = pl.read_parquet(data / "zh_shopping_reviews" / "online_shopping_10_cats.parquet")
    for topic, label, text in reviews.select("cat", "label", "review").iter_rows():
        found.setdefault(topic, ([], []))[0 if label == 1 else 1].append(text)
    negative = pl.read_parquet(data / "zh_finance_opinion" / "finnsp.parquet")
    for entities, bad, text in negative.select("entities", "negative", "text").iter_rows():
        group = "金融平台" if len(entities) < 2 else "金融公司"
        found.setdefault(group, ([], []))[int(bad)].append(text)
    events = pl.read_parquet(data / "zh_finance_opinion" / "finese.parquet")
    common = events["event_type"].value_counts(sort=True)["event_type"].to_list()[:8]
    for kind, text in events.select("event_type", "text").iter_rows():
        if kind in common:
            found.setdefault(kind, ([], []))[0 if kind in ("其他", "实控人股东变更") else 1].append(text)
    phrases = pl.read_parquet(data / "financial_phrasebank" / "sentences_50agree.parquet")
    for label, text in phrases.select("label", "sentence").iter_rows():
        found.setdefault("finance news", ([], []))[int(label == "negative")].append(text)
    names = tuple(found)
    shares = np.array([(len(found[name][1]) + 5) / (sum(map(len, found[name])) + 10) for name in names])
    texts = tuple((tuple(found[name][0]), tuple(found[name][1])) for name in names)
    return Pool(names, texts, np.clip(shares, 0.1, 0.6))


def _stream(pool: Pool, seed: int, *, planted: bool) -> Stream:
    """The same world with or without surges: rates, days and sources are drawn from the same seed."""
    rng = np.random.default_rng(seed)
    topics, slots = len(pool.names), _DAYS * DAY
    level = np.exp(rng.normal(1.8, 1.0, topics))  # posts an hour: about 1 to 40
    moment = np.arange(slots)
    phase = rng.uniform(0.55, 0.8, (topics, 1))
    daily = np.exp(0.9 * np.cos(2 * np.pi * (moment / DAY - phase)))
    weekend = np.where(moment // DAY % 7 >= 5, rng.uniform(0.7, 1.5, (topics, 1)), 1.0)
    growing = rng.permutation(topics)[:_GROWING]
    rate = level[:, None] / HOUR * daily * weekend * np.exp(rng.normal(0, 0.1, (topics, _DAYS))).repeat(DAY, axis=1)
    rate[growing] *= (1 + _GROWTH) ** (moment / (7 * DAY))
    rate *= np.where((moment // DAY >= _HOLIDAY[0]) & (moment // DAY < _HOLIDAY[1]), _HOLIDAY[2], 1.0)
    sad = np.broadcast_to(pool.complaints[:, None], rate.shape).copy()
    mix = rng.dirichlet(np.full(_SOURCES, 2.0), topics)
    noise = rng.gamma(10, 0.1, rate.shape)
    surges = tuple(_surges(level, rng)) if planted else ()
    for surge in surges:
        factor, _, shape = _KINDS[surge.kind]
        part = slice(surge.start * HOUR, surge.end * HOUR)
        span = (surge.end - surge.start) * HOUR
        if shape == "mood":
            sad[surge.topic, part] = np.minimum(0.95, factor * sad[surge.topic, part])
        else:
            rate[surge.topic, part] *= 1 + (factor - 1) * (
                np.ones(span) if shape == "step" else np.linspace(0, 1, span)
            )
    drawing = np.random.default_rng([seed, int(planted)])
    every = drawing.poisson(rate * noise)
    bad = drawing.binomial(every, sad)
    good_of, bad_of = (drawing.multinomial(part, mix[:, None, :]).sum(0).T for part in (every - bad, bad))
    return Stream(np.concatenate([every, bad, good_of + bad_of, bad_of]).astype(np.float64), surges)


def _surges(level: Floats, rng: np.random.Generator) -> Iterator[Planted]:
    busy = np.flatnonzero(level >= 2)
    for number, start in enumerate(range(_TRAIN * 24 + 8, _DAYS * 24 - 60, _EVERY)):
        kind = list(_KINDS)[number % len(_KINDS)]
        yield Planted(kind, int(rng.choice(busy)), start, start + _KINDS[kind][1])


def _groups(topics: int) -> NDArray[np.int64]:
    """The topic or source of each series."""
    return np.concatenate([np.tile(np.arange(topics), 2), np.tile(topics + np.arange(_SOURCES), 2)])


def _grouped(flags: Flags, topics: int) -> Flags:
    """Topics and sources of which any series alarms, bool (groups, hours)."""
    groups = _groups(topics)
    return np.stack([flags[groups == group].any(0) for group in range(topics + _SOURCES)])


def _onsets(flags: Flags, topics: int) -> Flags:
    """Where an alarm begins: after six hours without one."""
    grouped = _grouped(flags, topics)
    before = np.zeros_like(grouped)
    for hours in range(1, _SILENT + 1):
        before[:, hours:] |= grouped[:, :-hours]
    return grouped & ~before


def _row(name: str, pairs: Sequence[tuple[Stream, Stream]], pool: Pool, detect: Callable[[Stream], Flags]) -> Row:
    began = time.perf_counter()
    topics = len(pool.names)
    weeks: list[float] = []
    plain: list[float] = []
    hits: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    delays: list[float] = []
    for quiet, stream in pairs:
        false = _onsets(detect(quiet), topics)[:, _TRAIN * 24 :].sum(0).reshape(-1, 24 * 7).sum(1)
        weeks += false.tolist()
        plain += [count for week, count in enumerate(false.tolist()) if week != 1]
        grouped = _grouped(detect(stream), topics)
        for surge in stream.planted:
            flags = grouped[surge.topic]
            during = flags[surge.start : surge.end] & ~flags[surge.start - 1]
            hits[surge.kind].append(float(during.any()))
            if during.any():
                delays.append(float(during.argmax()) + 1)
    metrics = {
        "recall": Metric.mean([hit for found in hits.values() for hit in found]),
        **{kind: Metric.mean(found) for kind, found in hits.items()},
        "delay_hours": Metric.mean(delays) if delays else Metric(float("nan")),
        "false_a_week": Metric.mean(weeks),
        "without_holiday": Metric.mean(plain),
    }
    return Row(name, metrics, time.perf_counter() - began)


def _ours(stream: Stream) -> Flags:
    surges = Surges(false_alarms=1.0)
    series = [Series("topic", str(number)) for number in range(len(stream.counts))]
    hours = stream.counts.shape[1] // HOUR
    flags = np.zeros((len(series), hours), dtype=bool)
    for hour in range(hours):
        slots = range(hour * HOUR, (hour + 1) * HOUR)
        there = [(slot, row) for slot in slots for row in np.flatnonzero(stream.counts[:, slot]).tolist()]
        now = _time((hour + 1) * HOUR)
        surges.add(
            [_time(slot) for slot, _ in there],
            [(series[row],) for _, row in there],
            [float(stream.counts[row, slot]) for slot, row in there],
            now,
        )
        if hour >= _WARM * 24:
            for surge in surges.look(now):
                flags[int(surge.series.name), hour] = True
    return flags


def _charted(chart: Callable[[Floats], Floats], limit: float, stream: Stream) -> Flags:
    flags: Flags = chart(stream.hours) > limit
    return flags


def _fixed(hours: Floats) -> Floats:
    """Count over the mean of the quiet weeks, where there are five posts."""
    return np.where(hours >= 5, hours / np.maximum(hours[:, : _TRAIN * 24].mean(1, keepdims=True), 0.1), 0)


def _z_score(hours: Floats) -> Floats:
    """Deviations above the last four weeks' mean."""
    mean, deviation = _trailing(hours, 28 * 24)
    return np.where(hours >= 5, (hours - mean) / np.maximum(deviation, 0.5), 0)


def _seasonal(hours: Floats) -> Floats:
    """Deviations above the mean of the same hour of the week in the weeks before."""
    found = np.zeros_like(hours)
    for hour in range(_WARM * 24, hours.shape[1]):
        past = hours[:, hour % 168 : hour : 168][:, -4:]
        mean = past.mean(1)
        found[:, hour] = (hours[:, hour] - mean) / np.sqrt(np.maximum(past.var(1) + mean, 0.5))
    return np.where(hours >= 5, found, 0)


def _ewma(hours: Floats) -> Floats:
    """An EWMA chart, lambda 0.2, in its own deviations (Roberts 1959)."""
    level = np.zeros(len(hours))
    path = np.zeros_like(hours)
    for hour in range(hours.shape[1]):
        level = path[:, hour] = 0.8 * level + 0.2 * hours[:, hour]
    mean, deviation = _trailing(hours, 28 * 24)
    return np.where(path >= 1, (path - mean) / np.maximum(deviation * np.sqrt(0.2 / 1.8), 0.2), 0)


def _trailing(hours: Floats, length: int) -> tuple[Floats, Floats]:
    """Mean and deviation of the hours before each, two days ago at the latest, so that a surge does not hide itself."""
    pad = np.zeros((len(hours), 1))
    sums, squares = (np.concatenate([pad, np.cumsum(array, axis=1)], axis=1) for array in (hours, hours**2))
    ends = np.maximum(np.arange(hours.shape[1]) - 48, 24)
    starts = np.maximum(ends - length, 0)
    count = ends - starts
    mean = (sums[:, ends] - sums[:, starts]) / count
    return mean, np.sqrt(np.maximum((squares[:, ends] - squares[:, starts]) / count - mean**2, 0))


_CHARTS: dict[str, Callable[[Floats], Floats]] = {
    "fixed threshold": _fixed,
    "z-score": _z_score,
    "EWMA chart": _ewma,
    "seasonal z-score": _seasonal,
}


def _tuned(quiet: Sequence[Floats], chart: Callable[[Floats], Floats], topics: int) -> float:
    """The lowest limit with one false alarm a week at most on the last two quiet weeks, over all streams."""
    values = [chart(hours) for hours in quiet]
    part = slice(_WARM * 24, _TRAIN * 24)
    candidates = np.unique(
        np.quantile(np.concatenate([value[:, part].ravel() for value in values]), 1 - np.logspace(-6, -1, 120))
    )
    for limit in candidates.tolist():
        false = sum(int(_onsets(value > limit, topics)[:, part].sum()) for value in values)
        if false / (len(quiet) * (_TRAIN - _WARM) / 7) <= 1.0:
            return float(limit)
    return float(candidates[-1])


def _alerts(pool: Pool, seed: int) -> Row:
    """Whole alerts over a store: sixteen days of real posts, six surges in the last four."""
    began = time.perf_counter()
    rng = np.random.default_rng(seed)
    busy = rng.permutation(len(pool.names))[:6]
    named: list[float] = []
    evidence: list[float] = []
    with tempfile.TemporaryDirectory() as folder, open_store(f"sqlite:///{folder}/shop.db") as store:
        alarms = Alarms(store, ListenSettings(cool_down_hours=6), moment=_START)
        passages: list[Passage] = []
        number = 0
        for hour in range(16 * 24):
            now = _START + timedelta(hours=hour + 1)
            readings = []
            for topic, name in enumerate(pool.names):
                surging = hour >= 12 * 24 and hour % 16 < 4 and busy[hour // 16 % 6] == topic
                for _ in range(rng.poisson(3 * (6 if surging else 1))):
                    bad = rng.random() < (0.9 if surging else pool.complaints[topic])
                    texts = pool.texts[topic][int(bad)] or pool.texts[topic][1 - int(bad)]
                    number += 1
                    moment = now - timedelta(seconds=float(rng.uniform(1, 3_500)))
                    text = texts[int(rng.integers(len(texts)))]
                    source = f"source {rng.integers(_SOURCES)}"
                    passages.append(Passage(id=f"p{number}", kind=PassageKind.POST, text=text, time=moment))
                    readings.append(
                        Reading(post=f"p{number}", time=moment, source=source, author=f"a{rng.integers(5_000)}", topics=(name,), sentiment=-0.8 if bad else 0.5)
                    )  # fmt: skip
            if hour >= 11 * 24:
                store.words.put(passages)
                passages = []
            alarms.observe(readings, now)
            for alert in alarms.look(now) if hour >= 10 * 24 else []:
                if hour >= 12 * 24 and hour % 16 < 8:
                    place = int(busy[hour // 16 % 6])
                    named.append(float(alert.series[0].name == pool.names[place]))
                    pieces = store.words.get(alert.evidence).values()
                    own = set(pool.texts[place][0]) | set(pool.texts[place][1])
                    evidence.append(float(np.mean([piece.text in own for piece in pieces])))
    metrics = {"named": Metric.mean(named or [0.0]), "evidence": Metric.mean(evidence or [0.0])}
    return Row("shopkeeper, whole alerts", metrics, time.perf_counter() - began, f"{len(named)} alerts, 6 surges x 3")


def _speed(count: int, seed: int) -> Row:
    """One look at many series with five weeks behind them, and one new fit."""
    rng = np.random.default_rng(seed)
    surges = Surges()
    series = [Series("entity", str(number)) for number in range(count)]
    level = np.exp(rng.normal(-1, 1.5, count))
    for hour in range(0, 35 * 24, 2):
        found = rng.poisson(2 * level)
        rows = np.flatnonzero(found).tolist()
        moment = _time(hour * HOUR)
        surges.add([moment] * len(rows), [(series[row],) for row in rows], [float(found[row]) for row in rows], moment)
    now = _time(35 * DAY)
    began = time.process_time()
    surges.look(now)
    fitted = time.process_time()
    surges.look(now)
    metrics = {"look_seconds": Metric(time.process_time() - fitted), "fit_seconds": Metric(fitted - began)}
    return Row(f"shopkeeper, {count:,} series", metrics, notes="processor time; a fit twice a day")


def _time(slot: int) -> datetime:
    return datetime.fromtimestamp((_FIRST + slot) * QUARTER, UTC)
