"""What search learns beside its encoder, in one bundle: the share of the words, a ranker, and when to say "nothing found".

Queries with known answers come from human grades where there are enough, else from what customers clicked, carted or
bought after searching, else from the catalogue alone. Half of them choose the share of the words, the other half show
what it gained; the ranker is cross-validated over all of them and kept only where it does better than the fusion.

Clicks teach without favour: a click low on the page counts for the many looks that never came so far down (inverse
propensity), an item that was shown and passed over counts as a wrong answer as far as it was looked at, and one that was
never shown is not known to be wrong. What behaviour says of an item (`Known`) comes from before the labels' time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopkeeper.evaluation.intervals import bootstrap_interval, paired_difference
from shopkeeper.evaluation.splits import by_hash
from shopkeeper.models.bundle import Bundle, Card, save_bundle
from shopkeeper.models.reranker import Reranker, load_reranker, passage
from shopkeeper.models.text import Encoder, Floats
from shopkeeper.progress import track
from shopkeeper.ranking.clicks import ClickTable
from shopkeeper.ranking.examination import examination
from shopkeeper.ranking.features import NAMES, Asked, features
from shopkeeper.ranking.shown import KINDS as SHOWN
from shopkeeper.ranking.shown import read_shown
from shopkeeper.recipes.fingerprint import fingerprint
from shopkeeper.recipes.search.fusion import SHARES, chosen_share, known_answers, measured
from shopkeeper.recipes.search.ranker import LEAST, Lesson, choose, teach, teach_confidence, tier_weight
from shopkeeper.retrieval.hybrid import Fusion, HybridIndex
from shopkeeper.retrieval.looks import Looks
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.understanding.language import Language
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.store.until import Until
from shopkeeper.tasks.known import known_from
from shopkeeper.tasks.search.finding import DEPTH

_ASKED = 100
"""Queries that tell how near an item comes by chance."""
_MOST = 600
"""Queries that the ranker is taught with at most."""
_BEFORE = 0.7
"""Share of the log that tells how items were clicked when later clicks are learnt from."""


def train_search(
    store: Store,
    encoder: Encoder,
    shelf: Shelf,
    vectors: Floats,
    settings: Settings,
    folder: Path,
    *,
    looks: Looks | None = None,
) -> Bundle:
    """Learn all this and save it as a bundle of task ``search``.

    Args:
        store: Judgements and events.
        encoder: Encodes queries.
        shelf: The items of the store, none of them dead.
        vectors: Their encoder vectors, float32 (rows, d).
        settings: Search and compute settings.
        folder: Where the bundle goes; must not exist.
        looks: The pictures of the same rows, or None.

    Raises:
        TrainingError: Nothing could serve as a query.
    """
    seed = settings.compute.seed
    source, grades = known_answers(store, shelf, np.random.default_rng(seed))
    index = HybridIndex(
        encoder, Fusion(), exact_below=0 if len(shelf) > settings.search.exact_below else len(shelf) + 1
    )
    index.upsert(np.arange(len(shelf)), [shelf.item(row) for row in range(len(shelf))], vectors)
    index.looks = looks
    values = measured(index, shelf, grades)
    choosing = by_hash(list(grades), 0.5, salt="fusion")
    if choosing.all() or not choosing.any():
        choosing = np.arange(len(choosing)) % 2 == 0
    share = chosen_share({share: found[choosing] for share, found in values.items()}, seed)
    asked = np.stack([index.encode(query) for query in list(grades)[:_ASKED]])
    index.fusion = Fusion(words=share, floor=index.noise(asked))
    before = {"words only": _mean(values[1.0][~choosing]), "meaning only": _mean(values[0.0][~choosing])}
    after = {"fused": _mean(values[share][~choosing])}
    notes = [f"Share of the words {share:.1f}, chosen on {int(choosing.sum())} queries, shown on the other half."]
    arrays: dict[str, NDArray[Any]] = {}
    parameters: dict[str, Any] = index.fusion.to_json() | {"features": list(NAMES)}
    taught_by = ""
    lessons: list[Lesson] = []
    answered: list[Lesson] = []
    for taught_by in ("judgements", "events"):
        lessons = lessons_of(store, index, shelf, taught_by)
        answered = [lesson for lesson in lessons if max(lesson.known, default=0.0) > 0]
        if len(answered) >= LEAST:
            break
    if len(answered) >= LEAST:
        chosen = choose(answered, seed)
        gain = paired_difference(chosen.fused_full, chosen.full, seed=seed)
        before |= {"fused, all": _mean(chosen.fused_full), "fused, judged only": _mean(chosen.fused_judged)}
        after |= {"ranker, all": _mean(chosen.full), "ranker, judged only": _mean(chosen.judged)}
        if reranker := load_reranker(settings.models):
            parameters["rerank"] = weigh_tier(index, shelf, answered, chosen.scores, reranker, settings.search.rerank)
            notes.append(f"The cross-encoder weighs {parameters['rerank']:g} against the ranker.")
        better = (chosen.full + chosen.judged).mean() > (chosen.fused_full + chosen.fused_judged).mean()
        if better:
            arrays |= teach(answered, chosen.kind, seed).save()
        notes.append(
            f"Ranker ({chosen.kind}) {'kept' if better else 'not kept'}: nDCG@10 over all candidates changed by "
            f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}), cross-validated over {len(answered)} queries ({taught_by})."
        )
        if taught_by == "judgements" and (confident := teach_confidence(lessons, seed)):
            own, parameters["confidence"] = confident[0].save()
            arrays |= own
            notes.append(f"An answer is held to exist from a probability of {confident[0].answer:.2f} on.")
    card = Card(
        task="search",
        name="Words and meaning",
        data=fingerprint(store) | {"queries": len(grades), "source": source},
        settings={"encoder": encoder.name, "shares": list(SHARES)},
        seed=seed,
        before=before,
        after=after,
        notes=" ".join(notes),
    )
    return save_bundle(folder, card, arrays=arrays, parameters=parameters)


def weigh_tier(
    index: HybridIndex,
    shelf: Shelf,
    lessons: Sequence[Lesson],
    scores: Sequence[Floats],
    reranker: Reranker,
    depth: int,
) -> float:
    """What a cross-encoder that reads the first `depth` hits should weigh; see `ranker.tier_weight`."""
    read = []
    for lesson, own in track(list(zip(lessons, scores, strict=True)), "read the best hits", len(lessons), "queries"):
        rows = index.search(lesson.query, None, shelf.showable()).rows[np.argsort(-own, kind="stable")[:depth]]
        read.append(reranker.score(lesson.query, [passage(shelf.item(row)) for row in rows.tolist()]))
    return tier_weight(lessons, scores, read)


def lessons_of(store: Store, index: HybridIndex, shelf: Shelf, source: str) -> list[Lesson]:
    """Every query with known answers, the features of its candidates and their grades.

    Args:
        store: Judgements and events.
        index: Words and meaning of `shelf`.
        shelf: The items.
        source: ``judgements`` or ``events``.
    """
    if source == "judgements":
        known, labels = known_from(store, shelf), _judged(store)
    else:
        moment = _moment(store)
        known, labels = known_from(Until(store, moment), shelf), _clicked(store, moment)
    if len(labels) > _MOST:  # those that say most
        told = sorted(labels, key=lambda query: (-sum(map(bool, labels[query].grades.values())), query))
        labels = {query: labels[query] for query in told[:_MOST]}
    now = max(float(shelf.created.max(initial=0.0)), 0.0)
    language = Language((shelf.item(row) for row in range(len(shelf))), support=index.lexical.support)
    lessons = []
    for query, label in track(labels.items(), "read candidates", len(labels), "queries"):
        read, _ = language.read(query)
        words = read.words or query
        vector = index.encode(words)
        found = index.search(words, vector, shelf.showable())
        found = found.at(np.arange(min(len(found), DEPTH)))  # as served: features compare with these alone
        asked = Asked(
            query=words,
            vector=vector,
            preferences=[(one.field, one.value, one.certainty) for one in read.preferences],
            time=now,
            known=known.of(words, found.rows, shelf),
        )
        ids = [shelf.item(row).id for row in found.rows.tolist()]
        grades = np.array([label.grades.get(item, np.nan) for item in ids], dtype=np.float32)
        trust = np.array([label.trust.get(item, 1.0) for item in ids], dtype=np.float32)
        lessons.append(Lesson(words, features(index, shelf, asked, found), grades, list(label.grades.values()), trust))
    return lessons


@dataclass(frozen=True, slots=True)
class _Label:
    """What is known about the answers to one query: grades by item, and how far each is to be trusted (1 when missing)."""

    grades: Mapping[str, float]
    trust: Mapping[str, float]


def _judged(store: Store) -> dict[str, _Label]:
    given: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for judgement in store.labels.scan():
        given[judgement.query][judgement.item].append(judgement.grade)
    return {
        query: _Label({item: sum(grades) / len(grades) for item, grades in items.items()}, {})
        for query, items in given.items()
    }


def _clicked(store: Store, moment: datetime) -> dict[str, _Label]:
    """Clicks and orders from `moment` on: graded by their debiased rates, trusted as far as items were looked at."""
    events = [event for _, event in store.events.scan(kinds=list(SHOWN)) if event.time >= moment]
    shown = read_shown(events)
    bias = examination(shown)
    table = ClickTable(bias)
    table.fold(events)
    seen: defaultdict[str, dict[str, bool]] = defaultdict(dict)
    for query, item, hit in zip(shown.query.tolist(), shown.item.tolist(), shown.clicked.tolist(), strict=True):
        items = seen[shown.queries[query]]
        items[shown.items[item]] = items.get(shown.items[item], False) or hit
    labels = {}
    for asked, items in seen.items():
        names = sorted(items)
        rates = table.rates(asked, names)
        value = np.where([items[name] for name in names], rates.clicks + 2 * rates.orders, 0.0)
        grades = dict(zip(names, value.astype(float).tolist(), strict=True))
        labels[asked] = _Label(grades, dict(zip(names, rates.evidence.astype(float).tolist(), strict=True)))
    return labels


def _moment(store: Store) -> datetime:
    times = store.events.frame(kinds=list(SHOWN))["time"].sort()
    if not len(times):
        return datetime.now(UTC)
    return datetime.fromtimestamp(times[int(len(times) * _BEFORE)].timestamp(), UTC)


def _mean(values: NDArray[np.float64]) -> dict[str, Any]:
    low, high = bootstrap_interval(values)
    return {"ndcg@10": {"value": float(values.mean()), "low": low, "high": high}}
