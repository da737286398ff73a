"""What the bench and a system under test tell each other, in the standard library alone: files in one folder.

The bench writes ``products.jsonl`` and ``queries.jsonl``; the system `NAME` writes ``NAME.json``. A row with several
settings is tuned by five-fold cross-validation over queries: each query is answered with the setting whose nDCG@10 is best
on the other folds, and so are its misspelt form and its ranking of the judged products.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

DEPTH = 200
"""Hits of a ranking."""
_WARM = 8
"""Titles that are searched before anything is timed."""


@dataclass(frozen=True, slots=True)
class Product:
    """A product's texts: `names` is title, brand and description; `whole` has the attributes as well."""

    id: str
    title: str
    names: str
    whole: str


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked: as it is and with slips of the finger; the grades of the judged products; a fold of the tuning."""

    text: str
    slipped: str
    grades: Mapping[str, float]
    fold: int


@dataclass(frozen=True, slots=True)
class Ranked:
    """Product ids, best first, a list a query: of all products, for the misspelt query, of the judged products alone.

    `ms` is what each query of `plain` took, its encoding included; `settings` are the chosen ones, by how often.
    """

    plain: Sequence[Sequence[str]]
    slipped: Sequence[Sequence[str]]
    judged: Sequence[Sequence[str]]
    ms: Sequence[float]
    settings: Sequence[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system did.

    Attributes:
        rows: Row name to rankings.
        build: Seconds from texts to an index that answers, models loaded before.
        rss_mb: Most memory that the process held until the index stood, in MiB; variants for the tuning come after.
        notes: What should stand beside its rows.
    """

    rows: Mapping[str, Ranked]
    build: float
    rss_mb: float
    notes: str = ""


@dataclass(slots=True)
class Clock:
    """Measures the building, in seconds and in most MiB held: ``with clock: ...``."""

    seconds: float = 0.0
    rss_mb: float = 0.0
    _began: float = field(default=0.0, repr=False)

    def __enter__(self) -> None:
        """Start."""
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.seconds = time.perf_counter() - self._began
        self.rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
            1024**2 if sys.platform == "darwin" else 1024
        )


Ask = Callable[[str, "Sequence[str] | None"], "Sequence[str]"]
"""Query and the ids to choose among (None: all) -> at most `DEPTH` ids, best first."""
Systems = Mapping[str, Mapping[str, Ask]]
"""Row to setting to what answers."""
Pages = Mapping[str, Callable[[str], Sequence[str]]]
"""Setting to what is timed in place of the ranking: a page as it is shown."""


def write_exam(folder: Path, products: Sequence[Mapping[str, Any]], queries: Sequence[Query]) -> None:
    """Write what every system is asked; a product is a flat record with `id`, `title`, `names`, `whole` and more."""
    for name, rows in (("products", products), ("queries", [asdict(query) for query in queries])):
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def read_products(folder: Path) -> list[Product]:
    """The catalogue."""
    keys = Product.__slots__
    return [Product(**{key: row[key] for key in keys}) for row in _lines(folder / "products.jsonl")]


def read_queries(folder: Path) -> list[Query]:
    """The queries."""
    return [Query(**row) for row in _lines(folder / "queries.jsonl")]


def write_answer(
    folder: Path, name: str, systems: Systems, clock: Clock, notes: str = "", pages: Pages | None = None
) -> None:
    """Ask all queries, and write what the system answered; `pages` are timed where a ranking is not what is shown."""
    queries, warm = read_queries(folder), [product.title for product in read_products(folder)[:_WARM]]
    rows = {row: asdict(_ranked(asks, queries, warm, pages or {})) for row, asks in systems.items()}
    answer = {"rows": rows, "build": clock.seconds, "rss_mb": clock.rss_mb, "notes": notes}
    (folder / f"{name}.json").write_text(json.dumps(answer), encoding="utf-8")


def read_answer(folder: Path, name: str) -> Answer:
    """What `write_answer` wrote."""
    tree = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return Answer(**{**tree, "rows": {row: Ranked(**ranked) for row, ranked in tree["rows"].items()}})


def chosen(values: Mapping[str, Sequence[float]], folds: Sequence[int]) -> list[str]:
    """The setting for each query: the best mean over the queries of the other folds, the first of equals.

    >>> chosen({"a": [1, 1, 0, 0], "b": [0, 0, 1, 0.5]}, [0, 0, 1, 1])
    ['b', 'b', 'a', 'a']
    """
    best = {}
    for fold in set(folds):
        others = [place for place, other in enumerate(folds) if other != fold] or list(range(len(folds)))
        best[fold] = max(values, key=lambda setting: sum(values[setting][place] for place in others))
    return [best[fold] for fold in folds]


def ndcg(ranking: Sequence[str], grades: Mapping[str, float]) -> float:
    """nDCG@10 with gain 2^grade - 1; 0 where nothing is relevant (Järvelin and Kekäläinen 2002).

    >>> ndcg(["b", "a"], {"a": 1, "b": 0}) == 1 / math.log2(3)
    True
    """
    ideal = _discounted(sorted(grades.values(), reverse=True))
    return _discounted([grades.get(item, 0.0) for item in ranking]) / ideal if ideal else 0.0


def _discounted(grades: Sequence[float]) -> float:
    return sum((2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(grades[:10]))


def _ranked(asks: Mapping[str, Ask], queries: Sequence[Query], warm: Sequence[str], pages: Pages) -> Ranked:
    found: dict[str, list[Sequence[str]]] = {setting: [] for setting in asks}
    ms: dict[str, list[float]] = {setting: [] for setting in asks}
    for setting, ask in asks.items():
        for title in warm:
            ask(title, None)
        page = pages.get(setting)
        for query in queries:
            began = time.perf_counter()
            ranking = ask(query.text, None) if page is None else page(query.text)
            ms[setting].append((time.perf_counter() - began) * 1000)
            found[setting].append(list(ranking if page is None else ask(query.text, None)))
    values = {
        setting: [ndcg(ranking, query.grades) for ranking, query in zip(rankings, queries, strict=True)]
        for setting, rankings in found.items()
    }
    settings = chosen(values, [query.fold for query in queries])
    return Ranked(
        [found[setting][place] for place, setting in enumerate(settings)],
        [list(asks[setting](query.slipped, None)) for setting, query in zip(settings, queries, strict=True)],
        [list(asks[setting](query.text, list(query.grades))) for setting, query in zip(settings, queries, strict=True)],
        [ms[setting][place] for place, setting in enumerate(settings)],
        [setting for setting, _ in Counter(settings).most_common()],
    )


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
