"""Everything a shop can learn, in the order in which one recipe needs another's result.

The last tenth of the events is kept from all of them: `comparison` measures on it afterwards. The purchase recipe parts
the log by time itself and takes its figures from its own last period.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from shopkeeper.errors import ExtraMissingError, InputError, TrainingError
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.choice import encoder_name
from shopkeeper.models.intent_fitting import seeded
from shopkeeper.models.intents import IntentModel
from shopkeeper.models.pictures.encoders import SAMPLES, open_gallery
from shopkeeper.models.pictures.gallery import inside, samples
from shopkeeper.models.registry import Registry
from shopkeeper.models.serving import STATIC, Encoders, encoders
from shopkeeper.ranking.visits.visits import visits
from shopkeeper.recipes.ads.clicks import train_ad_clicks
from shopkeeper.recipes.customers.profile import train_profile
from shopkeeper.recipes.customers.purchase import PurchaseOptions, train_purchase
from shopkeeper.recipes.fingerprint import checkpoint, checkpoint_folder, fingerprint
from shopkeeper.recipes.guard.fraud import train_fraud
from shopkeeper.recipes.guard.raters import train_raters
from shopkeeper.recipes.language.dialogue import train_dialogue
from shopkeeper.recipes.language.domain import domain_base, train_domain
from shopkeeper.recipes.language.replies import REPLIES, train_replies
from shopkeeper.recipes.pictures.looks import train_pictures
from shopkeeper.recipes.recommend.behaviour import train_behaviour
from shopkeeper.recipes.search.finding import train_search
from shopkeeper.recipes.search.relevance import RelevanceOptions, train_relevance
from shopkeeper.recipes.texts.intent import train_intent
from shopkeeper.recipes.texts.marked_titles import TAGGER, marked_titles, train_marked
from shopkeeper.recipes.texts.opinion import one_label, train_opinion
from shopkeeper.recipes.texts.passages import SENTIMENT, TOPIC, texts_for, unlabelled_for
from shopkeeper.recipes.texts.update import update_classifier
from shopkeeper.recipes.tuned import Options, tuned_values, with_tuned
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.store.trusted import Trusted
from shopkeeper.store.until import Until
from shopkeeper.tasks.assist.reading import INTENT
from shopkeeper.tasks.floor import open_looks
from shopkeeper.tasks.guard import visitor_check
from shopkeeper.tasks.guard.trusting import Trust
from shopkeeper.tasks.listen.models import TASKS as EAR
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.hooks import Hook
from shopkeeper.training.runs import only_one, open_run
from shopkeeper.training.tracking import trackers

TASKS = (
    "reviewer",
    "relevance",
    "pictures",
    "search",
    "recommend",
    "purchase",
    "profile",
    "ads",
    "fraud",
    INTENT,
    REPLIES,
)
"""Recipes in the order in which they run."""
TEXTS = (SENTIMENT, TOPIC)
"""Classes of texts that reviews teach; what humans decided in the review queue teaches others, by their own names."""
DIALOGUE = "dialogue"
"""Teaches a small causal model to phrase answers; only when asked for."""
FIRST = "domain"
"""Reads the shop's texts before all others; only when asked for. Those that fine-tune start from what it left."""
HELD_OUT = 0.1
"""Share of the events, the latest, that no recipe learns from."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recipe.

    Attributes:
        version: The version that is live now, empty when the recipe was skipped.
        skipped: Why nothing was learnt, empty when something was.
        before: Metrics without this training, as on the card.
        after: Metrics with it.
    """

    task: str
    version: str = ""
    skipped: str = ""
    seconds: float = 0.0
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    notes: str = ""


def held_out_from(store: Store) -> datetime | None:
    """The moment from which on events are kept from training; None when there are too few to part."""
    times = store.events.frame()["time"]
    if len(times) < 100:
        return None
    moment = times.sort()[int(len(times) * (1 - HELD_OUT))]
    return datetime.fromtimestamp(moment.timestamp(), UTC)


def known_past(store: Store) -> Store:
    """The store without what is held out, and without robots: what recipes and searches may see."""
    moment = held_out_from(store)
    return without_robots(Until(store, moment) if moment else store)


def without_robots(store: Store) -> Store:
    """The store without visitors whom plain rules or humans call robots, once a human has decided about any visitor."""
    decided = visitor_check.answers(store.labels)
    if not decided:
        return store
    shelves = {item.id: item.category for item in store.catalogue.scan()}
    log = visits(event for _, event in store.events.scan())
    flagged = visitor_check.flagged(visitor_check.check(log, shelves, decided), decided)
    return Trusted(store, flagged) if flagged else store


def train(
    store: Store,
    settings: Settings,
    registry: Registry,
    tasks: Sequence[str] = (*TASKS, *TEXTS),
    minutes: float | None = None,
) -> Iterator[Outcome]:
    """Run the recipes; each result is added to the registry and made live at once, each run keeps its folder.

    A run that was killed goes on from its last state, below ``<home>/checkpoints``, when the same is asked for again.

    Args:
        store: What the shop knows.
        settings: `settings.train.minutes` is the budget of one recipe when `minutes` is None.
        registry: Where results go, and where an earlier encoder is found when ``relevance`` is not run.
        tasks: Which of `TASKS`, `TEXTS`, `FIRST`, `TAGGER`, `DIALOGUE`, or a task of the review queue.
        minutes: Budget of one recipe.

    Yields:
        One outcome a recipe, as soon as it is there. A recipe without enough data is skipped and says what is missing.

    Raises:
        InputError: A task is unknown.
    """
    known = (FIRST, *TASKS, *TEXTS, TAGGER, DIALOGUE)
    decided = [task for task in tasks if task not in known and next(store.labels.decided(task), None) is not None]
    if unknown := [task for task in tasks if task not in known and task not in decided]:
        raise InputError(
            f"There is no recipe {unknown[0]!r}, and nobody decided anything under that name.",
            where="task",
            cure=f"Choose among {', '.join(known)}, or decide questions of the review queue first.",
        )
    lesson = _Lesson(store, known_past(store), settings, registry, minutes)
    for task in (*known, *decided):
        if task not in tasks:
            continue
        try:
            with only_one(settings.home, task):
                outcome = lesson.outcome(task)
        except (TrainingError, ExtraMissingError) as error:
            outcome = Outcome(task, skipped=str(error))
        yield outcome


@dataclass(slots=True)
class _Lesson:
    store: Store
    past: Store
    settings: Settings
    registry: Registry
    minutes: float | None

    def checkpoint(self, task: str, *about: object) -> Checkpoint:
        return checkpoint(self.store, self.settings, task, self.minutes, self._encoder(), *about)

    def outcome(self, task: str) -> Outcome:
        """Run one recipe in a run folder of its own, and make its result live."""
        began = time.monotonic()
        settings, registry = self.settings, self.registry
        asked = settings.train.model_dump() | ({} if self.minutes is None else {"minutes": self.minutes})
        run = open_run(settings.home, task, asked, seed=settings.compute.seed, data=fingerprint(self.store))
        try:
            with tempfile.TemporaryDirectory(prefix="shopkeeper-") as folder:
                bundle = self.learn(task, Path(folder) / task, trackers(run.folder))
                version = registry.add(bundle.folder)
                for plot in (bundle.folder / "plots").glob("*.png"):
                    run.plot(plot.stem, plot.read_bytes())
            registry.promote(task, version)
            Checkpoint(checkpoint_folder(settings, task)).clear()
        except TrainingError as error:
            run.fail(str(error))
            return Outcome(task, skipped=str(error), seconds=time.monotonic() - began)
        except BaseException as error:
            run.fail(f"{type(error).__name__} {error}".strip())
            raise
        card = bundle.card
        metrics = {"before": card.before, "after": card.after}
        run.end(metrics, settings=card.settings, data=card.data, notes=f"{task} {version}. {card.notes}".strip())
        return Outcome(task, version, "", time.monotonic() - began, card.before, card.after, card.notes)

    def learn(self, task: str, folder: Path, hooks: Sequence[Hook]) -> Bundle:
        if task == FIRST:
            self._fine_tunable()
            kept = self.checkpoint(task)
            how: Any = {"minutes": self.minutes, "hooks": hooks, "checkpoint": kept}
            objective = self.settings.train.objective or None
            return train_domain(self.past, self.settings, folder, objective=objective, **how)
        if task == "relevance":
            self._fine_tunable()
            relevance = self._tuned(task, RelevanceOptions())
            return train_relevance(
                self.past,
                self.settings,
                folder,
                base=self._base(),
                minutes=self.minutes,
                options=relevance,
                hooks=hooks,
                checkpoint=self.checkpoint(task, relevance),
            )
        if task == "purchase":
            self._fine_tunable()
            purchase = self._tuned(task, PurchaseOptions())
            return train_purchase(
                without_robots(self.store),
                self.settings,
                folder,
                base=self._base(),
                minutes=self.minutes,
                options=purchase,
                hooks=hooks,
                checkpoint=self.checkpoint(task, purchase, self.registry.live_version("pictures")),
                seen=self._seen(),
            )
        if task == TAGGER:
            titles = marked_titles(self.settings)
            kept = self.checkpoint(task, titles.texts, titles.mentions)
            return train_marked(titles, self.settings, folder, minutes=self.minutes, hooks=hooks, checkpoint=kept)
        if task == DIALOGUE:
            kept = self.checkpoint(task)
            return train_dialogue(self.past, self.settings, folder, minutes=self.minutes, hooks=hooks, checkpoint=kept)
        if task not in TASKS:
            tunable = self.settings.models.encoder != STATIC
            if task not in EAR or task == SENTIMENT:
                self._fine_tunable()
            texts = texts_for(self.past, task)
            live = self.registry.live(task) if self.settings.train.update else None
            waiting = unlabelled_for(self.past, task, np.random.default_rng(self.settings.compute.seed))
            kept = self.checkpoint(task, texts.texts, texts.labels, waiting, live.name if live else "")
            how = {"minutes": self.minutes, "hooks": hooks, "checkpoint": kept}
            if live is not None and one_label(live):
                remember = self.settings.train.remember
                return update_classifier(live, texts, self.settings, folder, remember=remember, **how)
            how["unlabelled"] = waiting
            return train_opinion(texts, self.settings, folder, task=task, tuned=tunable or task not in EAR, **how)
        if task == "pictures":
            return self._pictures(folder, hooks)
        if task == "reviewer":
            return train_raters(self.past, self.settings, folder)
        shelf = Shelf(self.store.catalogue.scan())
        if not len(shelf):
            raise TrainingError("The catalogue is empty.", cure="Import products: shopkeeper import products FILE")
        found = self._encoders(shelf)
        vectors = found.passage.encode([item.passage if item else "" for item in shelf.items])
        if task == INTENT:
            return train_intent(self.past, self.settings, folder, found, parent=self._live(task))
        if task == REPLIES:
            live = self.registry.live(INTENT)
            intents = (
                seeded(found)
                if live is None
                else IntentModel.load(live.arrays(), live.parameters, found.passage.encode)
            )
            return train_replies(self.past, self.settings, folder, found, intents, parent=self._live(task))
        if task == "profile":
            before = self.registry.live("profile")
            return train_profile(self.past, found.query, shelf, vectors, self.settings, folder, before=before)
        if task == "ads":
            how = {"minutes": self.minutes, "hooks": hooks}
            return train_ad_clicks(
                self.past,
                lambda words: found.query.encode(words, "query"),
                shelf,
                vectors,
                self.settings,
                folder,
                trust=self._trust().weight,
                **how,
            )
        if task == "fraud":
            return train_fraud(
                self.past, self.settings, folder, vectors=vectors, row=shelf.row, parent=self._live(task)
            )
        items = [shelf.item(row) for row in range(len(shelf))]
        looks = open_looks(self.settings, self.registry.live("pictures"), items)
        told = vectors if looks is None else looks.upsert(np.arange(len(shelf)), items, vectors)
        if task == "search":
            return train_search(self._trust().store, found.query, shelf, vectors, self.settings, folder, looks=looks)
        return train_behaviour(self._trust().store, told, shelf, self.settings, folder)

    def _trust(self) -> Trust:
        """In the customers of the past, as the live bundle of raters judges them."""
        return Trust(self.past, self.registry.live("reviewer"), self.settings.compute.seed)

    def _live(self, task: str) -> str:
        return self.registry.live_version(task) or ""

    def _seen(self) -> dict[str, str]:
        """What pictures show of items that the items do not say, where that was learnt."""
        bundle = self.registry.live("pictures")
        if bundle is None:
            return {}
        shelf = Shelf(self.store.catalogue.scan())
        items = [item for item in shelf.items if item is not None]
        looks = open_looks(self.settings, bundle, items)
        text = self._encoders(shelf).passage.encode([item.passage for item in items])
        told = [] if looks is None else looks.told(items, text)
        return {item.id: words for item, words in zip(items, told, strict=True) if words}

    def _pictures(self, folder: Path, hooks: Sequence[Hook]) -> Bundle:
        settings, media = self.settings, self.settings.media
        shelf = Shelf(self.store.catalogue.scan())
        items = [item for item in shelf.items if item is not None]
        if not any(inside(media, name) for item in items for name in (*item.images, *item.videos)):
            raise TrainingError(
                "No item has a picture or video in the media folder.",
                where=str(media),
                cure="Import pictures: shopkeeper import media FOLDER",
            )
        gallery = open_gallery(settings, lambda side: samples(items, media, side, SAMPLES))
        shots = gallery.shots(items)
        found = self._encoders(shelf)
        seen = np.flatnonzero(shots.seen)
        text = found.passage.encode([item.passage for item in items])
        titles = text.copy()
        titles[seen] = found.passage.encode([items[row].title for row in seen.tolist()], "query")
        known = fingerprint(self.store)
        how: Any = {"data": known, "minutes": self.minutes, "hooks": hooks}
        return train_pictures(items, text, titles, shots, gallery.encoder.name, settings, folder, **how)

    def _tuned(self, task: str, options: Options) -> Options:
        return with_tuned(options, tuned_values(self.settings.home, task, self._encoder()))

    def _base(self) -> Backbone | None:
        return domain_base(self.registry, self._encoder())

    def _encoder(self) -> str:
        return encoder_name(self.settings.models, (item.language for item in self.store.catalogue.scan()))

    def _encoders(self, shelf: Shelf) -> Encoders:
        live = self.registry.live("relevance")
        name = encoder_name(self.settings.models, shelf.spoken)
        return encoders(self.settings, live, name)

    def _fine_tunable(self) -> None:
        if self.settings.models.encoder == STATIC:
            raise TrainingError(
                f"{STATIC} serves as it is and cannot be fine-tuned.",
                where="models.encoder",
                cure="Choose auto, minilm, e5-small, a Hugging Face id or a folder.",
            )
