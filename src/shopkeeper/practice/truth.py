"""The truths behind the practice shop, kept apart from the store: for evaluation only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.practice.behaviour import Behaviour, examination, sigmoid
from shopkeeper.practice.goods import Facts, Floats, Goods, Ints
from shopkeeper.practice.people import Tastes, World

_VERSION = 2


@dataclass(frozen=True, slots=True)
class EvaluationQuery:
    """A query with known grades.

    Attributes:
        split: ``head`` (its exact text is in the log), ``fresh`` (usual words, new combination) or ``unseen`` (words and
            needs that never occur in the log).
    """

    id: str
    text: str
    language: str
    split: str


@dataclass(frozen=True, slots=True)
class Response:
    """What a customer did with a page: item ids clicked, and bought among them, in order of place."""

    clicks: tuple[str, ...]
    purchases: tuple[str, ...]


@dataclass(frozen=True)
class Truth:
    """What the simulation knows and the shop does not.

    Attributes:
        behaviour: Tastes, goods and how they decide.
        queries: Evaluation queries; `grades` holds (query, item row, grade) triples with grade > 0, int64 (k, 3).
        cut: Train before, evaluate from here on.
    """

    behaviour: Behaviour
    queries: tuple[EvaluationQuery, ...]
    grades: Ints
    cut: datetime
    _customer: dict[str, int] = field(default_factory=dict, repr=False)
    _item: dict[str, int] = field(default_factory=dict, repr=False)
    _query: dict[str, int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Index ids."""
        self._customer.update({key: row for row, key in enumerate(self.behaviour.tastes.ids)})
        self._item.update({key: row for row, key in enumerate(self.behaviour.goods.ids)})
        for row, query in enumerate(self.queries):
            self._query.setdefault(query.text, row)
            self._query[query.id] = row

    @property
    def tastes(self) -> Tastes:
        """The customers' latent tastes."""
        return self.behaviour.tastes

    def relevance(self, query: str) -> dict[str, int]:
        """Item id to grade 1..3 for an evaluation query's id or text; items left out have grade 0.

        Raises:
            NotFoundError: It is not one of `queries`.
        """
        row = self._query.get(query)
        if row is None:
            raise NotFoundError(f"'{query}' is no evaluation query.", cure="See Truth.queries.")
        ids = self.behaviour.goods.ids
        return {ids[item]: int(grade) for _, item, grade in self.grades[self.grades[:, 0] == row]}

    def affinity(self, customer: str, items: Sequence[str], time: datetime) -> Floats:
        """How much a customer would like and need items, as log-odds of a click at the first place, float64 (k,)."""
        who, rows, day = self._place(customer, items, time)
        model = self.behaviour
        return np.asarray(-1.5 + 0.85 * model.liking(who, rows, day) + model.need_pull(who, rows, day))

    def purchase_probability(self, customer: str, items: Sequence[str], time: datetime) -> Floats:
        """Probability that a customer who looks at each item opens and buys it, float64 (k,).

        Raises:
            NotFoundError: The customer or an item does not exist.
        """
        who, rows, day = self._place(customer, items, time)
        pull = self.behaviour.need_pull(who, rows, day)
        opened = sigmoid(self.affinity(customer, items, time))
        return np.asarray(opened * self.behaviour.conversion(who, rows, day, pull))

    def examination(self, places: int) -> Floats:
        """Probability that places 1..n are looked at, float64 (n,)."""
        return examination(np.arange(1, places + 1))

    def respond(self, customer: str, shown: Sequence[str], time: datetime, rng: np.random.Generator) -> Response:
        """Let a customer react to a page, with the same behaviour that made the log.

        Args:
            customer: Whose reaction.
            shown: Item ids, best first.
            time: When.
            rng: Its state decides; the same state gives the same reaction.
        """
        who, rows, day = self._place(customer, shown, time)
        model = self.behaviour
        pull = model.need_pull(who, rows, day)
        looked = examination(np.arange(1, len(rows) + 1)) if len(rows) else np.empty(0)
        clicked = rng.random(len(rows)) < looked * model.attraction(who, rows, day, pull)
        buys = clicked & (rng.random(len(rows)) < model.conversion(who, rows, day, pull))
        buys &= model.goods.on_sale(day)[rows]
        return Response(
            tuple(key for key, hit in zip(shown, clicked, strict=True) if hit),
            tuple(key for key, hit in zip(shown, buys, strict=True) if hit),
        )

    def _place(self, customer: str, items: Sequence[str], time: datetime) -> tuple[int, Ints, float]:
        who = self._customer.get(customer)
        if who is None:
            raise NotFoundError(f"There is no customer '{customer}' in the practice shop.")
        try:
            rows = np.array([self._item[item] for item in items], dtype=np.int64)
        except KeyError as error:
            raise NotFoundError(f"There is no item {error} in the practice shop.") from None
        return who, rows, self.behaviour.day(time)

    def save(self, folder: Path) -> None:
        """Write ``truth.npz`` (arrays) and ``truth.json`` (ids, queries, facts) into a folder of their own."""
        folder.mkdir(parents=True, exist_ok=True)
        parts: dict[str, World | Tastes | Goods] = {
            "world": self.behaviour.world,
            "tastes": self.behaviour.tastes,
            "goods": self.behaviour.goods,
        }
        arrays = {"grades": self.grades}
        for part, record in parts.items():
            arrays |= {f"{part}.{name}": value for name, value in _arrays(record).items()}
        with (folder / "truth.npz").open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        tree = {
            "version": _VERSION,
            "start": self.behaviour.start.isoformat(),
            "cut": self.cut.isoformat(),
            "customers": self.behaviour.tastes.ids,
            "items": self.behaviour.goods.ids,
            "facts": [[dict(f.values), f.features, f.uses, f.name, f.line, f.code] for f in self.behaviour.goods.facts],
            "queries": [[query.id, query.text, query.language, query.split] for query in self.queries],
        }
        (folder / "truth.json").write_text(json.dumps(tree, ensure_ascii=False), "utf-8")


def load(folder: Path) -> Truth:
    """Read what `Truth.save` wrote.

    Raises:
        InputError: The folder holds no truth, or one of another version.
    """
    try:
        tree = json.loads((folder / "truth.json").read_text("utf-8"))
        with np.load(folder / "truth.npz", allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, ValueError) as error:
        cure = "Write it with Truth.save, or run the demo again."
        raise InputError(f"No readable truth ({error}).", where=str(folder), cure=cure) from error
    if tree.get("version") != _VERSION:
        raise InputError("The truth was written by another version.", where=str(folder), cure="Build the shop again.")
    goods = Goods(
        ids=tuple(tree["items"]),
        facts=tuple(Facts(row[0], tuple(row[1]), tuple(row[2]), row[3], row[4], row[5]) for row in tree["facts"]),
        **_part(arrays, "goods"),
    )
    tastes = Tastes(ids=tuple(tree["customers"]), **_part(arrays, "tastes"))
    world = World(**_part(arrays, "world"))
    return Truth(
        behaviour=Behaviour(world, tastes, goods, datetime.fromisoformat(tree["start"])),
        queries=tuple(EvaluationQuery(*row) for row in tree["queries"]),
        grades=arrays["grades"],
        cut=datetime.fromisoformat(tree["cut"]),
    )


def _arrays(record: World | Tastes | Goods) -> dict[str, np.ndarray[Any, Any]]:
    values = {entry.name: getattr(record, entry.name) for entry in fields(record)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def _part(arrays: Mapping[str, np.ndarray[Any, Any]], part: str) -> dict[str, Any]:
    return {name.removeprefix(f"{part}."): value for name, value in arrays.items() if name.startswith(f"{part}.")}
