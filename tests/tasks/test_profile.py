"""Profiles of the customers of a small shop: what they say, what they rest on, and that they follow the log."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hash_encoder import HashEncoder
from profileshop import DAYS, SHOP, START, lived

from shopkeeper.models.bundle import Bundle
from shopkeeper.models.cache import CachedEncoder
from shopkeeper.models.serving import Encoders
from shopkeeper.recipes.customers.profile import train_profile
from shopkeeper.records import Customer, Event, EventKind, Passage, PassageKind
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.tasks.profile.interests import MUTE
from shopkeeper.tasks.profile.pasts import LOOK_BACK, Pasts
from shopkeeper.tasks.profile.task import ProfileTask

SHELF = Shelf(SHOP)
NOW = START + timedelta(days=DAYS)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    with open_store(f"sqlite:///{tmp_path_factory.mktemp('profiles') / 'shop.db'}") as opened:
        opened.catalogue.put(SHOP)
        opened.customers.put([Customer(id="r000", language="en"), Customer(id="gone", language="zh")])
        opened.events.append(lived())
        opened.words.put(
            [
                Passage(
                    id="p1",
                    kind=PassageKind.REVIEW,
                    text="Great quality. Delivery was slow.",
                    item="garden-02",
                    customer="r000",
                ),
                Passage(id="p2", kind=PassageKind.REVIEW, text="Terrible quality.", item="garden-02", customer="r002"),
            ]
        )
        opened.events.append(
            [
                Event(
                    id="rv",
                    time=NOW - timedelta(days=1),
                    kind=EventKind.REVIEW,
                    customer="r000",
                    item="garden-02",
                    value=5.0,
                )
            ]
        )
        yield opened


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Encoders:
    encoder = HashEncoder(32)
    return Encoders(encoder, CachedEncoder(encoder, tmp_path_factory.mktemp("vectors") / "hash.bin"))


@pytest.fixture(scope="module")
def bundle(store: SqlStore, encoders: Encoders, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    home: Path = tmp_path_factory.mktemp("learnt")
    vectors = encoders.passage.encode([item.passage for item in SHOP])
    return train_profile(store, encoders.query, SHELF, vectors, Settings.model_validate({"home": home}), home / "out")


@pytest.fixture(scope="module")
def task(store: SqlStore, encoders: Encoders, bundle: Bundle) -> ProfileTask:
    return ProfileTask(
        SHELF, store.events, store.words, lambda name: store.customers.get([name]).get(name), encoders, bundle=bundle
    )


def test_a_regular_of_the_garden(task: ProfileTask):
    found = task.profile("r000", at=NOW)
    department = next(one for one in found.interests if one.kind == "category")
    assert department.name.startswith("Garden")
    assert department.evidence
    texts = {tag.text["en"]: tag for tag in found.tags}
    assert {"buys for Garden", "reads English"} <= texts.keys()
    assert all(tag.text["zh"] for tag in found.tags)
    ids = {event.id for event in lived()} | {"rv"}
    assert all(set(tag.evidence) <= ids for tag in found.tags)
    assert found.chances["purchase_30"] > 0.8
    assert found.chances["churn_30"] < 0.2
    assert found.next[0][0].startswith("Garden")
    assert found.value is not None
    assert found.value.amount > 0
    assert found.segment is not None
    assert found.model == "profile"


def test_opinions_are_the_customers_own(task: ProfileTask):
    found = {one.aspect: one for one in task.profile("r000", at=NOW).opinions}
    assert (found["quality"].positive, found["quality"].negative, found["quality"].evidence) == (1, 0, ("p1",))
    assert found["delivery"].negative == 1


def test_the_unknown(task: ProfileTask):
    found = task.profile("nobody", at=NOW)
    assert (found.deeds, found.interests, found.tags, found.opinions, found.segment) == (0, (), (), (), None)
    assert 0 < found.chances["purchase_30"] < 1
    assert found.next
    assert task.profile("gone", at=NOW).language == "zh"


def test_the_next_profile_knows_the_event(store: SqlStore, task: ProfileTask):
    before = task.profile("new", at=NOW)
    store.events.append(
        [Event(id="new-1", time=NOW, kind=EventKind.CART, customer="new", session="n", item="kitchen-02")]
    )
    after = task.profile("new", at=NOW)
    assert (before.deeds, after.deeds) == (0, 1)
    assert next(one for one in after.interests if one.kind == "category").evidence == ("new-1",)
    assert before.chances != after.chances


def test_not_interested_is_honoured_everywhere(store: SqlStore, task: ProfileTask):
    key = "category:Garden"
    event = Event(id="mute-1", time=NOW, kind=EventKind.DISMISS, customer="r002", properties={MUTE: key})
    store.events.append([event])
    found = task.profile("r002", at=NOW)
    assert found.muted == (key,)
    assert not any(one.key.startswith(key) for one in found.interests)
    assert not any(path.startswith("Garden") for path, _ in found.next)
    assert "tag:buys Garden" not in {tag.key for tag in found.tags}


def test_export_and_erase_take_the_profile_along(store: SqlStore, task: ProfileTask):
    store.events.append(
        [
            Event(id="leave-1", time=NOW, kind=EventKind.VIEW, customer="leaver", item="garden-00"),
            Event(id="leave-2", time=NOW, kind=EventKind.DISMISS, customer="leaver", properties={MUTE: "brand:x"}),
        ]
    )
    assert {event["id"] for event in store.export_customer("leaver")["events"]} == {"leave-1", "leave-2"}
    assert task.profile("leaver", at=NOW).muted == ("brand:x",)
    store.erase("leaver")
    task.forget("leaver")
    found = task.profile("leaver", at=NOW)
    assert (found.deeds, found.muted) == (0, ())


def test_a_clock_that_runs_ahead_is_not_believed(store: SqlStore, task: ProfileTask):
    far = NOW.replace(year=2099)
    store.events.append([Event(id="ahead", time=far, kind=EventKind.VIEW, customer="ahead", item="garden-00")])
    found = task.profile("ahead")
    assert found.deeds == 1
    assert all(0 <= chance <= 1 for chance in found.chances.values())


def test_a_visitor_without_a_name(store: SqlStore, task: ProfileTask):
    store.events.append([Event(id="anon", time=NOW, kind=EventKind.VIEW, session="visit", item="kitchen-00")])
    found = task.profile("", "visit", at=NOW)
    assert (found.customer, found.deeds) == ("", 1)
    assert found.interests


def test_another_encoder_leaves_the_words_out(store: SqlStore, bundle: Bundle, tmp_path: Path):
    class Other(HashEncoder):
        name = "other"

    encoder = Other(32)
    task = ProfileTask(
        SHELF,
        store.events,
        store.words,
        lambda _: None,
        Encoders(encoder, CachedEncoder(encoder, tmp_path / "other.bin")),
        bundle=bundle,
    )
    found = task.profile("r000", at=NOW)
    assert found.segment is None
    assert found.chances["purchase_30"] > 0.5
    assert encoder.encoded == 0


def test_whoever_did_very_much_keeps_orders_and_mutes(tmp_path: Path):
    with open_store(f"sqlite:///{tmp_path / 'many.db'}") as store:
        first = [
            Event(id="buy", time=START, kind=EventKind.PURCHASE, customer="busy", item="garden-00", value=3.0),
            Event(id="mute", time=START, kind=EventKind.DISMISS, customer="busy", properties={MUTE: "brand:x"}),
        ]
        views = [
            Event(
                id=f"v{n}",
                time=START + timedelta(minutes=n + 1),
                kind=EventKind.VIEW,
                customer="busy",
                item="garden-01",
            )
            for n in range(3 * LOOK_BACK)
        ]
        store.events.append([*first, *views])
        pasts = Pasts(store.events)
        found = pasts.of("busy")
        assert [event.id for event in found[:2]] == ["buy", "mute"]
        assert len(found) == LOOK_BACK + 2
        late = START + timedelta(days=9)
        store.events.append([replace(first[0], id="buy-2", time=late)])
        assert [event.id for event in pasts.of("busy") if event.kind is EventKind.PURCHASE] == ["buy", "buy-2"]
        more = [replace(one, id=f"w{n}", time=late + timedelta(minutes=n + 1)) for n, one in enumerate(views)]
        store.events.append([replace(first[0], id="buy-3", time=late + timedelta(seconds=1)), *more])
        assert [event.id for event in pasts.of("busy") if event.kind is EventKind.PURCHASE] == ["buy", "buy-2", "buy-3"]
        store.erase("busy")
        assert pasts.of("busy") == []
