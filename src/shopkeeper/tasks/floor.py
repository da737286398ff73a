"""All that serves one state of catalogue and models: shelf, indexes, tasks. Built aside, then swapped in as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shopkeeper import __version__
from shopkeeper.errors import ModelError
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.choice import encoder_name
from shopkeeper.models.pictures.encoders import SAMPLES, open_gallery
from shopkeeper.models.pictures.gallery import samples
from shopkeeper.models.pictures.sight import Sight
from shopkeeper.models.registry import Registry
from shopkeeper.models.reranker import load_reranker
from shopkeeper.models.serving import Encoders, encoders
from shopkeeper.models.tagging.bundle import read_tagger
from shopkeeper.models.tagging.text_tagger import TextTagger
from shopkeeper.progress import span
from shopkeeper.ranking.features import NAMES
from shopkeeper.ranking.ranker import Confidence, Ranker
from shopkeeper.ranking.rules import Rulebook
from shopkeeper.records import Event, EventKind, Item
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.complements import complements
from shopkeeper.retrieval.histories import STRENGTH, Floats, present, read
from shopkeeper.retrieval.hybrid import Fusion, HybridIndex
from shopkeeper.retrieval.looks import Looks
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.retrieval.understanding.language import Language
from shopkeeper.retrieval.understanding.synonyms import Synonyms, approved
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.tasks.guard.review_check import TASK as REVIEWER
from shopkeeper.tasks.guard.trusting import Trust
from shopkeeper.tasks.known import known_from, ratings_from
from shopkeeper.tasks.profile.interests import MutedItems
from shopkeeper.tasks.recommend.behaviour import Behaviour, Parameters, fit, learnt_from
from shopkeeper.tasks.recommend.knowledge import Knowledge, knowledge_from
from shopkeeper.tasks.recommend.pushing import Pusher, Relevance
from shopkeeper.tasks.recommend.segments import Segments
from shopkeeper.tasks.recommend.shaping import Shaper
from shopkeeper.tasks.recommend.task import RecommendTask
from shopkeeper.tasks.search.finding import Finder, Tier
from shopkeeper.tasks.search.suggest import SuggestTask
from shopkeeper.tasks.search.task import SearchTask

SYNONYMS = "synonyms.txt"
"""File in the shop's home that holds its synonyms."""
_SAMPLE = 50
"""Titles that stand in for queries where none are known."""
_GO_TOGETHER = 24.0 * 14
"""Hours within which two purchases of a customer may be for the same end."""
_OFTEN = 2
"""Searches in the log that make a query one of the shop's."""


@dataclass(slots=True)
class Floor:
    """One state of the shop.

    Attributes:
        version: Of the software and the live models.
        catalogue: Version of the catalogue that is taken up.
        counted: Events that behaviour was counted from.
        seen: Position of the log up to which new events were looked for.
        waiting: Events since then that say something about taste.
        segments: How strangers are told apart.
        knowledge: Graph and rules.
        looks: The items' pictures; None where nothing was learnt of them.
        trust: How far each customer counts.
        rules: Version of the merchandising rules in force.
    """

    settings: Settings
    store: Store
    shelf: Shelf
    encoders: Encoders
    index: HybridIndex
    search: SearchTask
    suggest: SuggestTask
    recommend: RecommendTask
    parameters: Parameters
    segments: Segments
    knowledge: Knowledge
    looks: Looks | None
    trust: Trust
    version: str
    catalogue: int
    counted: int
    seen: int
    waiting: int = 0
    rules: int = -1

    def apply(self, items: Sequence[Item], removed: Sequence[str]) -> None:
        """Take up items that came or changed, and let go of those that went."""
        if items:
            vectors = self.encoders.passage.encode([item.passage for item in items])
            rows = np.array([self.shelf.put(item) for item in items], dtype=np.int64)
            self.index.upsert(rows, items, vectors)
            self.knowledge.put(rows)
            self.recommend.put(items, vectors if self.looks is None else self.looks.upsert(rows, items, vectors))
            popular = self.search.popularity
            for row, item in zip(rows.tolist(), items, strict=True):
                self.search.put(row, item)
                self.suggest.put(
                    item, 1.0 + (float(popular[row]) if popular is not None and row < len(popular) else 0.0)
                )
        gone = [row for name in removed if (row := self.shelf.remove(name)) is not None]
        if gone:
            self.knowledge.drop(np.array(gone, dtype=np.int64))
        for name in removed:
            self.search.language.drop(name)
            self.suggest.drop(name)
        if gone:
            self.index.remove(np.array(gone, dtype=np.int64))
            if self.looks is not None:
                self.looks.remove(np.array(gone, dtype=np.int64))

    def count(self) -> None:
        """Count behaviour anew from the log."""
        texts = [item.passage if item else "" for item in self.shelf.items]
        vectors = self.encoders.passage.encode(texts)
        if self.looks is not None:
            vectors = self.looks.described(vectors)
        self.trust.refresh()
        trusted = self.trust.store
        behaviour, self.counted = _behaviour(
            self.settings, trusted, self.shelf, vectors, self.parameters, self.knowledge, self.segments
        )
        known = self.recommend.behaviour
        self.recommend.behaviour = replace(behaviour, next=known.next, ranker=known.ranker)
        self.search.popularity = behaviour.standing("popular", len(self.shelf))
        self.search.finder.known = known_from(trusted, self.shelf)
        self.search.facets.ratings = ratings_from(trusted, self.shelf)
        self.waiting = 0

    def stamp(self) -> None:
        """Take up the rules of merchandisers when they changed, and name the state that orders of hits depend on."""
        version = self.store.rules.version
        if version != self.rules:
            self.search.rules = Rulebook(self.store.rules.scan(), terms)
            self.rules = version
        self.search.version = f"{self.version} {self.catalogue} {self.counted} {self.rules}"

    def note(self, events: Iterable[Event]) -> None:
        """Let spelling, autocomplete and click rates know what just happened."""
        for event in events:
            if event.kind is EventKind.SEARCH:
                found = self.index.lexical.support(event.query) > 0
                if found:  # what stands together in no item may be a slip
                    self.search.language.vocabulary.put_query(event.query)
                else:
                    found = bool(len(self.index.lexical.search(event.query, 1)[0]))
                self.suggest.note(
                    event.query, customer=event.customer, session=event.session, found=found, at=event.time
                )
        if (clicks := self.search.finder.known.clicks) is not None:
            clicks.fold(events)


def build_floor(
    settings: Settings,
    store: Store,
    registry: Registry,
    recent: Callable[[str, str, int], Sequence[Event]],
    bought: Callable[[str], Iterable[str]],
    muted: Callable[[str, str], Iterable[str]] = lambda _customer, _session: (),
) -> Floor:
    """Build everything from the store and the live models; encodes what no cache holds yet, with progress."""
    catalogue, seen = store.catalogue.version, store.events.position
    with span("read catalogue", store.catalogue.count(), "items") as progress:
        shelf = Shelf()
        for item in store.catalogue.scan():
            shelf.put(item)
            progress.advance()
    items = [shelf.item(row) for row in range(len(shelf))]
    relevance, pictures = registry.live("relevance"), registry.live("pictures")
    learnt_search, learnt = registry.live("search"), registry.live("recommend")
    found = encoders(settings, relevance, encoder_name(settings.models, shelf.spoken))
    vectors = found.passage.encode([item.passage for item in items])
    limits = settings.search
    index = HybridIndex(
        found.query,
        Fusion.from_json(learnt_search.parameters) if learnt_search else Fusion(),
        exact_below=limits.exact_below,
        candidates=limits.candidates,
    )
    index.upsert(np.arange(len(shelf), dtype=np.int64), items, vectors)
    if learnt_search is None and items:
        titles = found.query.encode([item.title for item in items[:: max(1, len(items) // _SAMPLE)]], "query")
        index.fusion = replace(index.fusion, floor=index.noise(titles))
    looks = index.looks = open_looks(settings, pictures, items)
    if looks is not None:
        vectors = looks.upsert(np.arange(len(shelf), dtype=np.int64), items, vectors)
    parameters, sequence, preference = learnt_from(learnt, shelf, vectors)
    names = [bundle.name for bundle in (relevance, pictures, learnt_search, learnt) if bundle] or [found.query.name]
    version = "+".join([f"shopkeeper-{__version__}", *names])
    knowledge = knowledge_from(settings, store, shelf, parameters.ways)
    segments = Segments(settings.recommend.segments, store.customers)
    trust = Trust(store, registry.live(REVIEWER), settings.compute.seed)
    behaviour, counted = _behaviour(settings, trust.store, shelf, vectors, parameters, knowledge, segments)
    behaviour = replace(behaviour, next=sequence, ranker=preference)
    popular = behaviour.standing("popular", len(shelf))
    ranker, confidence = ranker_of(learnt_search)
    tier = _tier(settings, learnt_search)
    finder = Finder(shelf, index, ranker=ranker, confidence=confidence, tier=tier, personal=limits.personal)
    finder.known = known_from(trust.store, shelf)
    pusher = Pusher(
        shelf,
        logic=knowledge.logic,
        relevance=relevance_of(index),
        customer=segments.customer,
        bought=bought,
    )
    search = SearchTask(
        shelf,
        finder,
        Language(items, _synonyms(settings, store), index.lexical.support, _tagger(registry)),
        recent=recent,
        customer=segments.customer,
        popularity=popular,
        vetoed=pusher.vetoed,
        model=version,
    )
    search.facets.ratings = ratings_from(trust.store, shelf)
    _learn_queries(search.language, store)
    suggest = SuggestTask(search.language.pinyin)
    for item, sells in zip(items, popular.tolist(), strict=True):
        suggest.put(item, 1.0 + sells)
    suggest.learn(store, lambda query: bool(len(index.lexical.search(query, 1)[0])))
    suggest.settle()
    recommend = RecommendTask(
        shelf,
        behaviour,
        settings.recommend,
        recent=recent,
        bought=bought,
        pusher=pusher,
        shaper=Shaper(
            shelf,
            settings.recommend,
            lambda ids: finder.known.clicks.trials(ids) if finder.known.clicks else (np.zeros(len(ids)),) * 2,
            settings.compute.seed,
        ),
        segments=segments.of,
        muted=MutedItems(shelf, muted),
        model=version,
        seed=settings.compute.seed,
    )
    floor = Floor(
        settings,
        store,
        shelf,
        found,
        index,
        search,
        suggest,
        recommend,
        parameters,
        segments,
        knowledge,
        looks,
        trust,
        version,
        catalogue,
        counted,
        seen,
    )
    floor.stamp()
    return floor


def open_looks(settings: Settings, bundle: Bundle | None, items: Sequence[Item]) -> Looks | None:
    """What was learnt of pictures, over an empty shelf; None without a bundle of task ``pictures``."""
    if bundle is None:
        return None
    gallery = open_gallery(settings, lambda side: samples(items, settings.media, side, SAMPLES))
    sight = Sight.load(bundle, gallery.encoder.name)
    return Looks(gallery, sight, exact_below=settings.search.exact_below)


def _behaviour(
    settings: Settings,
    store: Store,
    shelf: Shelf,
    vectors: np.ndarray,
    parameters: Parameters,
    knowledge: Knowledge,
    segments: Segments,
) -> tuple[Behaviour, int]:
    frame = store.events.frame(kinds=list(STRENGTH))
    histories, names = read(frame, shelf)
    until = present(histories.times)
    behaviour = fit(
        histories, shelf, vectors, parameters, until=until, graph=knowledge.neighbours, dense=settings.recommend.ease
    )
    behaviour.segments = segments.popularity(histories, names, len(shelf), parameters.half_life, until)
    purchases, _ = read(frame.filter(frame["kind"].is_in([EventKind.PURCHASE, EventKind.RETURN])), shelf)
    behaviour.complements = complements(purchases, shelf, vectors, hours=_GO_TOGETHER)
    return behaviour, frame.height


def relevance_of(index: HybridIndex) -> Relevance:
    """How well items answer words, by the hybrid index: 1 for the best, 0 for the last of its candidates."""

    def relevance(words: str) -> tuple[Rows, Floats]:
        found = index.search(words)
        if not len(found):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        span_ = float(np.ptp(found.scores)) or 1.0
        return found.rows, ((found.scores - found.scores.min()) / span_).astype(np.float32)

    return relevance


def _learn_queries(language: Language, store: Store) -> None:
    """Let spelling know what is searched for often; what stands together in no item may be a slip."""
    asked = store.events.frame(kinds=[EventKind.SEARCH])["query"].drop_nulls().value_counts()
    for query, times in asked.filter(asked["count"] >= _OFTEN).iter_rows():
        if language.support(query):
            language.vocabulary.put_query(query, times)


def ranker_of(bundle: Bundle | None) -> tuple[Ranker | None, Confidence | None]:
    """What a bundle of task ``search`` holds of the two.

    Raises:
        ModelError: They were learnt on other features than this version computes.
    """
    if bundle is None or "features" not in bundle.parameters:
        return None, None
    if list(bundle.parameters["features"]) != list(NAMES):
        raise ModelError(
            "The ranker was learnt by another version, on other features.",
            where=bundle.name,
            cure="Train again: shopkeeper train search",
        )
    arrays = bundle.arrays()
    sure = bundle.parameters.get("confidence")
    return Ranker.load(arrays), None if sure is None else Confidence.load(arrays, sure)


def _tagger(registry: Registry) -> TextTagger | None:
    """The linear part of the live tagger: fast enough to read every query."""
    bundle = registry.live("tagger")
    if bundle is None:
        return None
    linear = [member for member in read_tagger(bundle).members if member.name == "linear"]
    return TextTagger(linear) if linear else None


def _tier(settings: Settings, bundle: Bundle | None) -> Tier | None:
    reranker = load_reranker(settings.models)
    if reranker is None or not settings.search.rerank:
        return None
    weight = float(bundle.parameters.get("rerank", 1.0)) if bundle else 1.0
    return Tier(reranker, weight, settings.search.rerank, settings.search.rerank_seconds)


def _synonyms(settings: Settings, store: Store) -> Synonyms:
    path = settings.home / SYNONYMS
    return (Synonyms.read(path) if path.exists() else Synonyms({})).with_pairs(approved(store.labels))
