"""Product copy: grounded, readable, distinct, within limits; planted falsehoods caught; and whether the ranking knows the truth."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.contract import Metric, Row
from bench.writing_falsehoods import lies, truths
from shopkeeper.evaluation.copy_report import rate
from shopkeeper.practice import Practice, build
from shopkeeper.records import Item, Passage
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.database import open_store
from shopkeeper.tasks.known import known_from
from shopkeeper.tasks.write.appeal import Appeal, Trials, learn_appeal
from shopkeeper.tasks.write.briefs import KINDS, Brief, Copy, Objection
from shopkeeper.tasks.write.check import objections
from shopkeeper.tasks.write.facts import Facts
from shopkeeper.tasks.write.length import characters
from shopkeeper.tasks.write.task import WriteTask
from shopkeeper.tasks.write.words import ShopWords, likeness, words

Values = NDArray[np.float64]
Rng = np.random.Generator

_FORM: Final = frozenset(["stock", "length", "lines", "tone", "empty"])


@dataclass(frozen=True, slots=True)
class _Catalogue:
    name: str
    items: Sequence[Item]
    passages: Sequence[Passage]


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """Three catalogues; nothing is tuned on them. Shares come with Wilson's intervals over candidates or planted texts.

    Falsehoods are planted into accepted descriptions in a handful of plain wordings, which whoever wrote the check also knew:
    what is caught is the kind of falsehood, and rarer wordings will be caught less. "Plain invention" is a made-up fact without
    a figure, a name or a promise, which the check does not claim to see. "Grounded" is what the same check says of the
    shop's own frames: how many of true candidates it lets through.

    The practice shop's customers do not read titles: what draws their clicks is the product that the words name. So the
    ranking is held against each item's true attraction within its kind of thing, and, apart from that, against clicks in
    which ten random words of titles were given an effect of their own.

    Args:
        data: Folder of the public data sets.
        quick: Few items.
        seed: Of the shop, of the samples and of what is planted.
    """
    sizes = (
        {"products": 600, "customers": 300, "days": 40} if quick else {"products": 2000, "customers": 1600, "days": 90}
    )
    practice = build(seed + 200, **sizes)
    most = 40 if quick else 300
    rows: list[Row] = []
    for catalogue in (_Catalogue("practice", practice.items, practice.passages), _fashion(data), _amazon(data)):
        rows += _measured(catalogue, most, np.random.default_rng(seed))
    return [*rows, *_ranking(practice, seed)]


def _measured(catalogue: _Catalogue, most: int, rng: Rng) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'shop.db'}")
        store.words.put(catalogue.passages)
        known = {item.id: item for item in catalogue.items}
        task = WriteTask(known.get, store.words, store.labels, lambda: ShopWords(catalogue.items))
        chosen = [catalogue.items[row] for row in rng.permutation(len(catalogue.items))[:most]]
        yield _written(catalogue.name, task, chosen)
        yield from _planted(catalogue.name, task, chosen, rng)
        store.close()


def _written(name: str, task: WriteTask, items: Sequence[Item]) -> Row:
    grounded, ease, apart, fits, count = [], [], [], [], 0
    task.write(Brief(kind="title"), [items[0].id])  # counts the shop's words, once
    began = time.perf_counter()
    made = [(kind, one) for kind in KINDS for one in task.write(Brief(kind=kind), [item.id for item in items])]
    seconds = time.perf_counter() - began
    for kind, one in made:
        for copy in (*one.copies, *one.refused):
            count += 1
            grounded.append(not any(why.kind not in _FORM for why in copy.objections))
            fits.append(not any(why.kind == "length" for why in copy.objections) and _fits(copy, kind))
        ease += [copy.ease for copy in one.copies]
        apart += [1 - likeness(a.text, b.text) for a, b in combinations(one.copies, 2)]
    metrics = {
        "grounded": _share(grounded),
        "length kept": _share(fits),
        "readability": Metric.mean(ease),
        "distinctness": Metric.mean(apart),
        "s per 1,000": Metric(1_000 * seconds / max(count, 1)),
    }
    return Row(
        f"shopkeeper templates, {name}", metrics, seconds, f"{count:,} candidates for {len(items)} items, all kinds"
    )


def _share(hits: Sequence[bool]) -> Metric:
    """A share with Wilson's 95 % interval, which is honest where all hit or none."""
    value, (low, high) = rate(sum(hits), len(hits))
    return Metric(value, low, high)


def _fits(copy: Copy, kind: str) -> bool:
    limits = KINDS[kind].limits[copy.language]
    return all(characters(line) <= limits[min(n, len(limits) - 1)] for n, line in enumerate(copy.text.split("\n")))


def _planted(name: str, task: WriteTask, items: Sequence[Item], rng: Rng) -> Iterator[Row]:
    """Catch rate by kind of falsehood and language, and false alarms on true sentences in other words."""
    caught: defaultdict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    alarms: defaultdict[str, list[bool]] = defaultdict(list)
    brands = sorted(task.shop.brands.values())
    for item in items:
        facts = task.facts(item)
        side = int(facts.language == "zh")
        for text in truths(facts, side):
            alarms[facts.language].append(bool(_against(task, facts, text)))
        (found,) = task.write(Brief(kind="description", candidates=2), [item.id])
        for copy in found.copies:
            for kind, told, lie in lies(copy.text, facts, side, brands, task.shop, rng):
                caught[facts.language][kind].append(bool(_against(task, told, lie)))
    for language, kinds in sorted(caught.items()):
        metrics = {kind: _share(hits) for kind, hits in sorted(kinds.items())}
        checked = [hit for kind, hits in kinds.items() if kind != "plain invention" for hit in hits]
        metrics["all but inventions"] = _share(checked)
        metrics["false alarms"] = _share(alarms[language])
        planted = sum(map(len, kinds.values()))
        yield Row(
            f"shopkeeper check, {name}, {language}",
            metrics,
            0.0,
            f"{planted:,} falsehoods, {len(alarms[language]):,} true texts",
        )


def _against(task: WriteTask, facts: Facts, text: str) -> tuple[Objection, ...]:
    copy = Copy(item=facts.item.id, kind="description", language=facts.language, text=text, tone="warm")
    return objections(copy, facts, task.shop, (5_000,))


def _ranking(practice: Practice, seed: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'shop.db'}")
        store.catalogue.put(practice.items)
        store.events.append(practice.events)
        shelf = Shelf(practice.items)
        clicks = known_from(store, shelf).clicks
        store.close()
    if clicks is None:
        return
    rng = np.random.default_rng(seed)
    goods = practice.truth.behaviour.goods
    half = rng.permutation(len(practice.items)) < len(practice.items) // 2
    known = [item for item, learnt in zip(practice.items, half, strict=True) if learnt]
    row = {name: place for place, name in enumerate(goods.ids)}
    new = [item for item, learnt in zip(practice.items, half, strict=True) if not learnt]
    truth, kinds = (
        _attraction(practice, [row[item.id] for item in new], rng),
        goods.type[[row[item.id] for item in new]],
    )
    yield _agrees("practice shop, true attraction", learn_appeal(clicks.trials, known, seed), new, truth, kinds, rng)
    trials, effect = _worded(practice.items, rng)
    truth = np.array([sum(effect.get(word, 0.0) for word in set(words(item.title))) for item in new])
    yield _agrees("planted effect of ten words", learn_appeal(trials, known, seed), new, truth, np.zeros(len(new)), rng)


def _attraction(practice: Practice, rows: Sequence[int], rng: Rng) -> Values:
    """True mean probability of a click of those who speak an item's language, over 300 customers."""
    behaviour = practice.truth.behaviour
    items = np.array(rows)
    customers = rng.choice(len(behaviour.tastes.ids), min(300, len(behaviour.tastes.ids)), replace=False)
    table = np.stack([behaviour.attraction(int(one), items, 60.0, np.zeros(len(items))) for one in customers])
    fits = behaviour.tastes.language[customers][:, None] == behaviour.goods.language[items][None, :]
    return np.asarray((table * fits).sum(axis=0) / np.maximum(fits.sum(axis=0), 1))


def _worded(items: Sequence[Item], rng: Rng) -> tuple[Trials, dict[str, float]]:
    """50 to 200 looks an item, with clicks in which ten words of titles double or halve the odds, and nothing else counts."""
    held: defaultdict[str, int] = defaultdict(int)
    for item in items:
        for word in set(words(item.title)):
            held[word] += 1
    often = sorted(word for word, count in held.items() if count >= 20)
    picked = [often[place] for place in rng.permutation(len(often))[:10]]
    effect = {word: (0.7 if n % 2 else -0.7) for n, word in enumerate(picked)}
    looks = rng.integers(50, 200, len(items))
    logit = np.array([-1.5 + sum(effect.get(word, 0.0) for word in set(words(item.title))) for item in items])
    clicks = rng.binomial(looks, 1 / (1 + np.exp(-logit)))
    table = {item.id: (float(clicks[n]), float(looks[n])) for n, item in enumerate(items)}

    def counted(ids: Sequence[str]) -> tuple[Values, Values]:
        found = np.array([table[name] for name in ids]).reshape(-1, 2)
        return found[:, 0], found[:, 1]

    return counted, effect


def _agrees(
    name: str, appeal: Appeal | None, items: Sequence[Item], truth: Values, kinds: Iterable[float], rng: Rng
) -> Row:
    """How often the higher of two titles of one kind that were not learnt from is truly the better; chance is one half."""
    if appeal is None:
        return Row(f"shopkeeper ranking, {name}", {}, 0.0, "the clicks say nothing of words: readability alone decides")
    lift, place = appeal.lift([item.title for item in items]), np.array(list(kinds))
    pairs = rng.integers(len(items), size=(200_000, 2))
    same = (place[pairs[:, 0]] == place[pairs[:, 1]]) & (truth[pairs[:, 0]] != truth[pairs[:, 1]])
    one, other = pairs[same][:20_000].T
    language = np.array([item.language for item in items])
    one, other = one[language[one] == language[other]], other[language[one] == language[other]]
    gap = lift[one] - lift[other]
    right = np.where(gap == 0, 0.5, (gap > 0) == (truth[one] > truth[other]))
    by_item = [float(right[one == row].mean()) for row in np.unique(one)]
    metrics = {"pairs in order": Metric.mean(by_item), "agreement with clicks": Metric(appeal.agreement)}
    return Row(f"shopkeeper ranking, {name}", metrics, 0.0, f"{len(one):,} pairs; half by chance; interval over items")


def _fashion(data: Path) -> _Catalogue:
    rows = pl.read_parquet(data / "fashion-product-images" / "catalog.parquet")[:6_000].iter_rows(named=True)
    names: dict[str, Callable[[dict[str, object]], object]] = {
        "gender": lambda row: row["gender"],
        "colour": lambda row: row["baseColour"],
        "season": lambda row: row["season"],
        "usage": lambda row: row["usage"],
    }
    items = [
        Item(
            id=str(row["id"]),
            title=str(row["title"]),
            category=(str(row["masterCategory"]), str(row["articleType"])),
            attributes={name: str(value) for name, read in names.items() if (value := read(row))},
            language="en",
        )
        for row in rows
    ]
    return _Catalogue("fashion-product-images", items, [])


def _amazon(data: Path) -> _Catalogue:
    rows = (
        pl.read_parquet(data / "amazon_products_vespa" / "products.parquet").sample(4_000, seed=7).iter_rows(named=True)
    )
    items = [
        Item(
            id=str(row["id"]),
            title=row["title"],
            description=row["description"],
            category=(row["category"].replace("_", " "),),
            price=row["price"] / 100 or None,
            currency="USD",
            language="en",
        )
        for row in rows
    ]
    return _Catalogue("amazon_products_vespa", items, [])
