from datetime import datetime

import pytest
from toyshop import toy_events, toy_items, toy_store

from shopkeeper.errors import InputError, StoreError
from shopkeeper.records import Event, EventKind
from shopkeeper.store.trusted import TRUST, Trusted
from shopkeeper.store.until import Until


@pytest.fixture
def store(tmp_path):
    opened = toy_store(tmp_path)
    event = toy_events()[0]
    opened.events.append(
        [
            Event(id=f"unnamed-{n}", time=event.time, kind=EventKind.VIEW, item="garden-00", session=f"s{n % 2}")
            for n in range(6)
        ]
    )
    yield opened
    opened.close()


def test_flagged_visitors_are_seen_by_no_reader(store):
    trusted = Trusted(store, ["c00", "session:s1"])
    seen = [event for _, event in trusted.events.scan()]
    assert seen
    assert not any(event.customer == "c00" or (not event.customer and event.session == "s1") for event in seen)
    frame = trusted.events.frame()
    assert sorted(frame["id"].to_list()) == sorted(event.id for event in seen)
    assert trusted.events.count() == len(seen)
    assert trusted.events.of_customer("c00") == []
    assert trusted.events.of_session("s1") == []
    assert len(trusted.events.of_session("s0")) == 3
    assert trusted.events.of_customer("c01") == store.events.of_customer("c01")
    reviewers = {passage.customer for passage in store.words.scan()}
    assert {passage.customer for passage in trusted.words.scan()} == reviewers - {"c00"}
    assert trusted.words.count() == store.words.count() - 1


def test_a_session_of_somebody_who_is_named_is_not_meant(store):
    named = next(event for _, event in store.events.scan() if event.customer == "c01")
    assert Trusted(store, [f"session:{named.session}"]).events.of_customer("c01") == store.events.of_customer("c01")


def test_thinning_keeps_the_same_part_for_every_reader(store):
    customers = [f"c{number:02d}" for number in range(60)]
    thin = Trusted(store, customers, keep=0.25)
    kept = {event.id for _, event in thin.events.scan()}
    assert kept == set(thin.events.frame()["id"])
    named = [name for name in kept if not name.startswith("unnamed")]
    assert 0.2 < len(named) / 2160 < 0.3
    assert kept <= {event.id for _, event in Trusted(store, customers, keep=0.5).events.scan()}


def test_nobody_flagged_is_the_store_itself(store):
    assert Trusted(store, []).events.frame().equals(store.events.frame())


def test_it_stands_on_another_view(store):
    middle: datetime = store.events.frame()["time"].sort()[1_000]
    both = Trusted(Until(store, middle), ["c00"])
    frame = both.events.frame()
    assert frame["time"].max() < middle
    assert "c00" not in frame["customer"].to_list()
    assert both.catalogue.get([toy_items()[0].id])
    assert both.rules is store.rules
    assert both.labels is store.labels


def test_it_cannot_be_written_to(store):
    trusted = Trusted(store, ["c00"])
    for write in (
        lambda: trusted.events.append(toy_events(3)[:1]),
        lambda: trusted.events.append_all([toy_events(3)[:1]]),
        lambda: trusted.words.put([]),
        lambda: trusted.words.remove(["x"]),
        lambda: trusted.erase("c"),
        lambda: trusted.export_customer("c"),
    ):
        with pytest.raises(StoreError, match="a view of the store"):
            write()


@pytest.mark.parametrize("keep", [1.0, -0.1, float("nan")])
def test_a_share_to_keep_that_is_none_is_refused(store, keep):
    with pytest.raises(InputError, match="keep"):
        Trusted(store, ["c00"], keep=keep)


def test_who_counts_for_nothing_is_gone_and_frames_tell_how_far_others_count(store):
    trusted = Trusted(store, ["c02"], keep=0.5, trust={"c00": 0.0, "c01": 0.25, "c03": 1.0})
    frame = trusted.events.frame()
    assert "c00" not in set(frame["customer"])
    assert trusted.events.of_customer("c00") == []
    assert trusted.events.of_customer("c01") == store.events.of_customer("c01")
    assert 0 < len(trusted.events.of_customer("c02")) < len(store.events.of_customer("c02"))
    assert set(frame.filter(frame["customer"] == "c01")[TRUST]) == {0.25}
    assert set(frame.filter(frame["customer"] != "c01")[TRUST]) == {1.0}
    assert sorted(frame["id"]) == sorted(event.id for _, event in trusted.events.scan())
    assert "c00" not in {passage.customer for passage in trusted.words.scan()}
    with pytest.raises(InputError, match="trust"):
        Trusted(store, trust={"c00": 1.5})
