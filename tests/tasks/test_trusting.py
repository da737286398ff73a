"""An attack on ratings in a running shop: what customers see moves back towards what honest customers said and did."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from toyshop import CUSTOMERS, START, item_id, taste_of_customer, toy_store

from shopkeeper.models.registry import Registry
from shopkeeper.ranking.item_record import ItemRecord
from shopkeeper.recipes.guard.raters import train_raters
from shopkeeper.records import Decision, Event, EventKind, Passage, PassageKind, Request
from shopkeeper.retrieval.collaborative import together
from shopkeeper.retrieval.histories import STRENGTH, read
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import load
from shopkeeper.store.protocols import Store
from shopkeeper.store.trusted import TRUST, Trusted
from shopkeeper.tasks.guard.review_check import FAKE, GENUINE, TASK, shop_ratings
from shopkeeper.tasks.guard.trusting import Trust
from shopkeeper.tasks.known import ratings_from
from shopkeeper.tasks.shop import Shop, open_shop

TARGETS = ("garden-11", "garden-13", "garden-15")
BAIT = "garden-04"
CREW = tuple(f"crew{n}" for n in range(12))
HONEST = ("c00", "c01", "c02", "c03")
PRAISE = "Best thing I ever bought, everybody in the family is delighted with it, five stars"


def rated(customer: str, item: str, stars: float, time: timedelta, words: str) -> tuple[Passage, Event]:
    name, moment = f"rated-{customer}-{item}", START + time
    return (
        Passage(
            id=name,
            kind=PassageKind.REVIEW,
            customer=customer,
            item=item,
            rating=stars,
            time=moment,
            text=words,
            language="en",
        ),
        Event(id=name, time=moment, kind=EventKind.REVIEW, customer=customer, item=item, value=stars),
    )


def honest_ratings() -> list[tuple[Passage, Event]]:
    rng, found = np.random.default_rng(8), []
    for number in range(CUSTOMERS):
        customer = f"c{number:02d}"
        for item in rng.choice(16, 7, replace=False).tolist():
            name = item_id(taste_of_customer(customer), item)
            stars = float(np.clip(np.rint((1.9 if name in TARGETS else 3.6) + rng.normal()), 1, 5))
            words = f"Used it for {rng.integers(2, 99)} days {rng.bytes(20).hex()}"
            found.append(rated(customer, name, stars, timedelta(days=float(rng.random() * 60)), words))
    return found


def attack() -> list[tuple[Passage, Event]]:
    rng = np.random.default_rng(9)
    return [
        rated(customer, item, 5.0, timedelta(days=30 + float(rng.random() * 2)), PRAISE)
        for customer in CREW
        for item in TARGETS
    ]


def bait() -> list[Event]:
    """The crew touches what many like beside what it pushes."""
    return [
        Event(
            id=f"{customer}-{item}", time=START + timedelta(days=31), kind=EventKind.CART, customer=customer, item=item
        )
        for customer in CREW
        for item in (BAIT, *TARGETS)
    ]


@dataclass
class Attacked:
    home: Path
    shop: Shop
    honest: Store
    registry: Registry


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """A shop under attack, trained to find it and not yet using that; and the same shop without the attack."""
    home, sound = tmp_path_factory.mktemp("attacked"), tmp_path_factory.mktemp("sound")
    for folder, written in ((home, [*honest_ratings(), *attack()]), (sound, honest_ratings())):
        store = toy_store(folder)
        store.words.remove([passage.id for passage in store.words.scan([PassageKind.REVIEW])])
        store.words.put(passage for passage, _ in written)
        store.events.append([event for _, event in written])
        if folder is home:
            store.events.append(bait())
            honest_settings = load(home, environ={}, overrides={"models.encoder": "use-multilingual"})
            train_raters(store, honest_settings, home / "raters")
            store.close()
    shop = open_shop(honest_settings)
    yield Attacked(home, shop, store, Registry(honest_settings.bundles))
    shop.close()
    store.close()


def decide(store: Store, raters: Iterable[str], label: str) -> None:
    names = list(raters)
    store.labels.propose(Decision(task=TASK, subject=name, text=name) for name in names)
    for name in names:
        store.labels.decide(TASK, name, label)


def live(attacked: Attacked) -> Trust:
    """Trust once humans have looked at the crew and at some honest raters."""
    decide(attacked.shop.store, CREW, FAKE)
    decide(attacked.shop.store, HONEST, GENUINE)
    version = attacked.registry.live_version(TASK) or attacked.registry.add(attacked.home / "raters")
    attacked.registry.promote(TASK, version)
    return Trust(attacked.shop.store, attacked.registry.live(TASK))


def stars(store: Store) -> np.ndarray:
    shelf = Shelf(store.catalogue.scan())
    return ratings_from(store, shelf)[shelf.rows(TARGETS)]


def strengths(store: Store) -> np.ndarray:
    """How strongly the bait recommends each target."""
    shelf = Shelf(store.catalogue.scan())
    histories, _ = read(store.events.frame(kinds=list(STRENGTH)), shelf)
    return together(histories, len(shelf)).between(shelf.rows([BAIT]), shelf.rows(TARGETS))[0]


def test_stars_and_neighbours_move_back_towards_the_honest_ones(attacked: Attacked) -> None:
    before, after = attacked.shop.store, live(attacked).store
    truth = stars(attacked.honest)
    assert (stars(before) - truth > 0.8).all()
    assert (np.abs(stars(after) - truth) < 0.25).all()
    truth = strengths(attacked.honest)
    assert (strengths(before) > 1.2 * truth).all()
    assert (np.abs(strengths(after) - truth) < 0.3 * (strengths(before) - truth)).all()


def test_a_running_shop_shows_it_on_every_path(attacked: Attacked) -> None:
    shop = attacked.shop
    assert shop.trust.store is shop.store  # nothing was learnt yet
    reviews = shop.store.words.of_item(TARGETS[0])
    praised, basket = Request(stars=3.0, limit=200), Request(items=(BAIT,), session="fresh", limit=200)

    def shown() -> tuple[float | None, set[str], float]:
        best = {hit.item for hit in shop.search(praised).hits}
        places = [hit.item for hit in shop.recommend(basket).hits]
        return shop.trust.stars(reviews), best, float(np.mean([places.index(item) for item in TARGETS]))

    mean, best, place = shown()
    assert mean is not None
    assert best >= set(TARGETS)
    live(attacked)
    shop.reload()
    assert (fair := shop.trust.stars(reviews)) is not None
    assert fair < mean - 0.8
    _, kept, lower = shown()
    assert not kept & set(TARGETS)
    assert lower > place
    assert kept >= best - set(TARGETS)
    rows = shop.shelf.rows(TARGETS)
    counted = ItemRecord(shop.shelf), ItemRecord(shop.shelf, trust=shop.trust.weight)
    for record in counted:
        record.fold(event for _, event in shop.store.events.scan())
    before, after = (record.at(rows) for record in counted)
    assert (after.stars < before.stars - 0.5).all()
    assert (after.reviews < before.reviews).all()
    assert (after.popularity < before.popularity).all()


def test_new_attackers_are_found_when_behaviour_is_counted_anew(attacked: Attacked) -> None:
    trust = live(attacked)
    again = [rated(f"late{n}", item, 5.0, timedelta(days=33, hours=n), PRAISE) for n in range(8) for item in TARGETS]
    assert trust.weight("late1") == 1.0
    attacked.shop.store.words.put(passage for passage, _ in again)
    attacked.shop.store.events.append([event for _, event in again])
    trust.refresh()
    assert max(trust.weight(f"late{n}") for n in range(8)) < 0.8
    assert min(trust.weight(f"c{n:02d}") for n in range(CUSTOMERS)) == 1.0
    known = trust.store
    trust.refresh()
    assert trust.store is known  # nothing came in: nothing is judged again
    trust.forget("late1")
    assert trust.weight("late1") == 1.0


def test_decisions_count_and_where_nobody_is_suspicious_all_stays_exactly_as_it_is(attacked: Attacked) -> None:
    store = attacked.honest
    live(attacked)
    bundle = attacked.registry.live(TASK)
    raters = shop_ratings(store).raters
    decide(store, raters, GENUINE)
    trust = Trust(store, bundle)
    assert trust.store is store
    assert all(trust.weight(rater) == 1.0 for rater in raters)
    store.labels.decide(TASK, raters[0], FAKE)
    trust.refresh()
    assert trust.weight(raters[0]) == 0.0
    assert raters[0] not in set(trust.store.events.frame()["customer"])
    shelf = Shelf(store.catalogue.scan())
    gone = {event.item for event in store.events.of_customer(raters[0])}
    same = [row for row, item in enumerate(shelf.items) if item is not None and item.id not in gone]
    np.testing.assert_array_equal(ratings_from(store, shelf)[same], ratings_from(trust.store, shelf)[same])


def test_suspicion_alone_lowers_nobody(attacked: Attacked, tmp_path: Path) -> None:
    with toy_store(tmp_path) as store:
        ratings = [rated(customer, item, 5.0, timedelta(days=3), PRAISE) for customer in CREW for item in TARGETS]
        store.words.put(passage for passage, _ in ratings)
        live(attacked)
        trust = Trust(store, attacked.registry.live(TASK))
        assert trust.store is store
        decide(store, CREW[:1], FAKE)
        trust.refresh()
        assert (trust.weight(CREW[0]), trust.weight(CREW[1])) == (0.0, 1.0)


def test_without_a_bundle_or_ratings_the_store_is_the_store_itself(attacked: Attacked, tmp_path: Path) -> None:
    with toy_store(tmp_path) as store:
        assert Trust(store, None).store is store
        empty = [passage.id for passage in store.words.scan()]
        store.words.remove(empty)
        assert Trust(store, attacked.registry.live(TASK)).store is store


def test_strengths_are_multiplied_by_trust_and_those_of_others_stay_the_same(attacked: Attacked) -> None:
    store, shelf = attacked.honest, Shelf(attacked.honest.catalogue.scan())
    whole, names = read(store.events.frame(kinds=list(STRENGTH)), shelf)
    half, same = read(Trusted(store, trust={"c00": 0.5, "c01": 1.0}).events.frame(kinds=list(STRENGTH)), shelf)
    assert same == names
    factor = np.array([0.5 if name == "c00" else 1.0 for name in names], dtype=np.float32)
    np.testing.assert_array_equal(half.strengths, whole.strengths * factor[whole.users])
    np.testing.assert_array_equal(half.rows, whole.rows)
    assert TRUST not in Trusted(store, trust={"c01": 1.0}).events.frame().columns
