"""The features of payments, column by column, over a table of payments and its runs.

Each row sees earlier rows only: windows end before it. What earlier payments themselves looked like is remembered of each
(`Derived`), so that a counterpart can be judged by how unusual its customers found their payments there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from shopkeeper.models.text import Floats
from shopkeeper.ranking.payments.columns import DAY, Ints, Values
from shopkeeper.ranking.payments.runs import HORIZON, KnownFraud, Runs
from shopkeeper.ranking.payments.table import UNIT, Derived, Feature, Table

WINDOWS: Final = {"15m": 900, "1h": 3_600, "1d": DAY, "7d": 7 * DAY, "30d": HORIZON}
LAST: Final = (1, 2, 3)
"""How many payments back the sequence features look."""
_FLAT = 0.25
"""Deviation that a customer's amounts have at least, against their mean."""
_FEW = 1_000
"""Rows of which views are held."""
_DIMENSIONS = 16
"""Dimensions of vectors that are added up at a time."""


@dataclass(slots=True)
class Ledger:
    """A table with its runs: by customer, by customer and currency, by counterpart, by customer and counterpart.

    Attributes:
        table: The payments.
        known: ``customer`` and kinds to what is known about fraud.
        vectors: float32 (items, d), or None.
    """

    table: Table
    known: Mapping[str, KnownFraud]
    vectors: Floats | None = None
    _runs: dict[str, Runs] = field(default_factory=dict)
    _asked: Ints | None = None
    _views: dict[str, tuple[Ints, _View]] = field(default_factory=dict)

    @property
    def kinds(self) -> list[str]:
        """Kinds of counterparts."""
        return [column for column in self.table.keys if column != "customer"]

    def runs(self, name: str) -> Runs:
        """``customer``, a kind, ``spending`` (customer and currency), or ``pair `` and a kind."""
        if name not in self._runs:
            table, customer = self.table, self.table.keys["customer"]
            if name == "spending":
                keys = np.where(customer < 0, -1, customer * (int(table.currency.max(initial=0)) + 1) + table.currency)
            elif name.startswith("pair "):
                keys = _pairs(customer, table.keys[name.removeprefix("pair ")])
            else:
                keys = table.keys[name]
            self._runs[name] = Runs(keys, table.time, HORIZON)
        return self._runs[name]

    def derive(self, rows: Ints) -> Derived:
        """What will be remembered of `rows`."""
        taken, view = self._seen("customer", rows)
        columns = {"unusual": UNIT * self._spending(view)[2], "taint": 1e6 * self._share("customer", view)}
        columns |= {kind: np.isnan(self._met(view, kind)) for kind in self.kinds}
        found = {name: _scattered(np.rint(np.nan_to_num(column)), taken) for name, column in columns.items()}
        risk = np.zeros(len(rows))
        for kind in self.kinds:
            taken, view = self._seen(kind, rows)
            risk = np.maximum(risk, _scattered(np.nan_to_num(self._share(kind, view)), taken))
        whole = {name: column.astype(np.int64) for name, column in found.items()}
        new = {kind: whole[kind] for kind in self.kinds}
        return Derived(whole["unusual"], whole["taint"], np.rint(1e6 * risk).astype(np.int64), new)

    def features(self, rows: Ints, past: Derived) -> dict[Feature, Values]:
        """Columns float64 (q,) for `rows`, given what was remembered of every row of the table."""
        found = self._moment(rows)
        for owner in ("customer", *self.kinds):
            taken, view = self._seen(owner, rows)
            columns = self._velocity(owner, view)
            columns |= self._customer(view, past) if owner == "customer" else self._counterpart(owner, view, past)
            columns |= self._sequence(owner, view, past)
            said = self.known[owner].at(view.keys, view.time)
            columns |= {Feature("labels", owner, *measure): values for measure, values in said.items()}
            nobody = view.keys < 0
            for feature, column in columns.items():
                found[feature] = _scattered(np.where(nobody, np.nan, column), taken)
            if owner != "customer":
                met, customer = self._seen("customer", rows)
                found[Feature("counterpart", owner, "met")] = _scattered(self._met(customer, owner), met)
        return found

    def _seen(self, owner: str, rows: Ints) -> tuple[Ints, _View]:
        """Rows in the order of an owner's runs: the places they take, and their view; few rows are held until others are asked."""
        if self._asked is rows and owner in self._views:
            return self._views[owner]
        runs = self.runs(owner)
        taken = runs.ordered(rows)
        own = rows[taken]
        found = taken, _View(runs, own, self.table.time[own], self.table.keys[owner][own], runs.start(own))
        if len(rows) <= _FEW:
            self._asked, self._views = rows, {**(self._views if self._asked is rows else {}), owner: found}
        return found

    def _share(self, owner: str, view: _View) -> Values:
        return self.known[owner].share(view.keys, view.time, 30)

    def _moment(self, rows: Ints) -> dict[Feature, Values]:
        seconds = self.table.time[rows]
        hour, day = (seconds % DAY) / 3_600, (seconds // DAY + 3) % 7  # 1970 began on a Thursday
        return {
            Feature("amount", "payment", "amount"): self.table.units[rows] / UNIT,
            Feature("amount", "payment", "hour"): hour,
            Feature("amount", "payment", "night"): (hour < 7).astype(np.float64),
            Feature("amount", "payment", "weekend"): (day >= 5).astype(np.float64),
        }

    def _spending(self, view: _View) -> tuple[dict[str, Values], Values, Values]:
        """Mean amount by window, deviation over the longest, and deviations above the mean, in currency medians."""
        units = self.table.units
        spending = _View(self.runs("spending"), view.rows, view.time, self.runs("spending").keys[view.rows], view.start)
        sums = spending.runs.totals(units)
        means = {window: spending.mean(sums, window) / UNIT for window in ("1d", "7d", "30d")}
        mean = means["30d"]
        deviation = np.sqrt(
            np.maximum(spending.mean(spending.runs.totals(units * units), "30d") / UNIT**2 - mean**2, 0)
        )
        own = units[view.rows] / UNIT
        return means, deviation, np.clip((own - mean) / np.maximum(deviation, _FLAT * mean), -100, 100)

    def _velocity(self, owner: str, view: _View) -> dict[Feature, Values]:
        group = "velocity" if owner == "customer" else "counterpart"
        found = {Feature(group, owner, "count", window): view.count(window) for window in WINDOWS}
        return found | {Feature(group, owner, "since"): view.since(self.table.time, view.runs.before(view.rows, 1))}

    def _customer(self, view: _View, past: Derived) -> dict[Feature, Values]:
        means, deviation, unusual = self._spending(view)
        own = self.table.units[view.rows] / UNIT
        found = {Feature("spending", "customer", "mean", window): mean for window, mean in means.items()}
        found |= {Feature("spending", "customer", "ratio", window): own / mean for window, mean in means.items()}
        found[Feature("spending", "customer", "deviation", "30d")] = deviation
        found[Feature("spending", "customer", "unusual", "30d")] = unusual
        remembered = view.runs.totals(past.unusual)
        for window in ("1d", "7d"):
            before = view.mean(remembered, window) / UNIT
            found[Feature("spending", "customer", "unusual_before", window)] = before
        found[Feature("graph", "customer", "risk", "30d")] = view.mean(view.runs.totals(past.risk), "30d") / 1e6
        if self.vectors is not None:
            found[Feature("text", "customer", "distance", "30d")] = self._distance(view, self.vectors)
        return found

    def _counterpart(self, kind: str, view: _View, past: Derived) -> dict[Feature, Values]:
        found: dict[Feature, Values] = {}
        own = self.table.units[view.rows] / UNIT
        units, unusual, new = (view.runs.totals(values) for values in (self.table.units, past.unusual, past.new[kind]))
        for window in ("1d", "7d", "30d"):
            found[Feature("counterpart", kind, "ratio", window)] = own / (view.mean(units, window) / UNIT)
            found[Feature("counterpart", kind, "unusual", window)] = view.mean(unusual, window) / UNIT
            found[Feature("graph", kind, "newcomers", window)] = view.sum(new, window)
        found[Feature("graph", kind, "taint", "30d")] = view.mean(view.runs.totals(past.taint), "30d") / 1e6
        return found

    def _sequence(self, owner: str, view: _View, past: Derived) -> dict[Feature, Values]:
        """What the last payments of a customer or counterpart looked like, the latest first."""
        found: dict[Feature, Values] = {}
        table, rows = self.table, view.rows
        own, currency = table.units[rows], table.currency[rows]
        for step in LAST:
            earlier = view.runs.before(rows, step)
            since = view.since(table.time, earlier)
            none = np.isnan(since)
            if step > 1:
                found[Feature("sequence", owner, "since", str(step))] = since
            same = table.currency[earlier] == currency
            ratio = np.where(none | ~same, np.nan, own / table.units[earlier])
            found[Feature("sequence", owner, "ratio", str(step))] = ratio
            unusual = np.where(none, np.nan, past.unusual[earlier] / UNIT)
            found[Feature("sequence", owner, "unusual", str(step))] = unusual
        return found

    def _met(self, view: _View, kind: str) -> Values:
        """Seconds since the customer last met this counterpart."""
        runs = self.runs(f"pair {kind}")
        found = view.since(self.table.time, runs.before(view.rows, 1))
        return np.where(runs.keys[view.rows] < 0, np.nan, found)

    def _distance(self, view: _View, vectors: Floats) -> Values:
        """1 - cosine between the item bought and the mean of what the customer bought before; NaN without either."""
        words = self.table.words
        has, own, low, high = words >= 0, words[view.rows], view.low("30d"), view.high
        bought, place = np.unique(np.maximum(words, 0), return_inverse=True)
        dot, length, size = np.zeros(len(own)), np.zeros(len(own)), np.zeros(len(own))
        for first in range(0, vectors.shape[1], _DIMENSIONS):
            block = np.rint(2**20 * vectors[bought, first : first + _DIMENSIONS].astype(np.float64)).astype(np.int64)
            totals = view.runs.totals(np.where(has[:, None], block[place], 0))
            past, item = (totals[high] - totals[low]).astype(np.float64), block[place[view.rows]].astype(np.float64)
            dot, length, size = (
                dot + (past * item).sum(axis=1),
                length + (past**2).sum(axis=1),
                size + (item**2).sum(axis=1),
            )
        norm = np.sqrt(length * size)
        return np.where((own >= 0) & (norm > 0), 1 - dot / np.maximum(norm, 1), np.nan)


@dataclass(slots=True)
class _View:
    """Rows seen from one of their keys, in the order of its runs, with their windows.

    Attributes:
        runs: By that key.
        rows: int64 (q,).
        time: Theirs.
        keys: Theirs.
        start: The moment after which windows may look.
    """

    runs: Runs
    rows: Ints
    time: Ints
    keys: Ints
    start: Ints
    _low: dict[str, Ints] = field(default_factory=dict)

    @property
    def high(self) -> Ints:
        """Places of the rows: windows end before them."""
        return self.runs.place[self.rows]

    def low(self, window: str) -> Ints:
        """Places where windows begin."""
        if window not in self._low:
            since = np.maximum(self.time - WINDOWS[window], self.start)
            self._low[window] = np.minimum(self.runs.until(self.keys, since), self.high)
        return self._low[window]

    def count(self, window: str) -> Values:
        """Payments in each window."""
        return (self.high - self.low(window)).astype(np.float64)

    def sum(self, totals: Ints, window: str) -> Values:
        """Sums over each window, of the values whose `Runs.totals` are given."""
        return (totals[self.high] - totals[self.low(window)]).astype(np.float64)

    def mean(self, totals: Ints, window: str) -> Values:
        """Their means, NaN for empty windows."""
        counts = self.high - self.low(window)
        return np.where(counts > 0, self.sum(totals, window) / np.maximum(counts, 1), np.nan)

    def since(self, times: Ints, earlier: Ints) -> Values:
        """Seconds from earlier rows, NaN where there is none after `start`."""
        then = times[earlier]
        return np.where((earlier >= 0) & (then > self.start), self.time - then, np.nan)


def _scattered(values: Values, taken: Ints) -> Values:
    found = np.empty(len(values), dtype=np.float64)
    found[taken] = values
    return found


def _pairs(first: Ints, second: Ints) -> Ints:
    """A number for each pair, -1 where either is none."""
    _, one = np.unique(first, return_inverse=True)
    _, other = np.unique(second, return_inverse=True)
    joined = one.astype(np.int64) * (int(other.max(initial=0)) + 1) + other
    return np.where((first < 0) | (second < 0), -1, joined)
