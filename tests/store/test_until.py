from datetime import datetime

import pytest
from toyshop import toy_events, toy_items, toy_store

from shopkeeper.errors import StoreError
from shopkeeper.store.until import Until


@pytest.fixture
def store(tmp_path):
    opened = toy_store(tmp_path)
    yield opened
    opened.close()


def middle(store) -> datetime:
    times = store.events.frame()["time"].sort()
    return times[len(times) // 2]


def test_nothing_from_the_moment_on_is_seen_by_any_reader(store):
    moment = middle(store)
    past = Until(store, moment)
    customer = next(event.customer for _, event in store.events.scan() if event.customer and event.time >= moment)
    session = next(event.session for _, event in store.events.scan() if event.session and event.time >= moment)
    seen = [
        *(event.time for _, event in past.events.scan()),
        *past.events.frame()["time"].to_list(),
        *(event.time for event in past.events.of_customer(customer)),
        *(event.time for event in past.events.of_session(session)),
        *(event.time for _, event in past.events.tail(customer=customer)),
        *(passage.time for passage in past.words.scan() if passage.time),
    ]
    assert seen
    assert max(seen) < moment
    assert past.events.count() == sum(event.time < moment for _, event in store.events.scan())


def test_a_later_end_does_not_open_the_view(store):
    moment = middle(store)
    end = store.events.frame()["time"].max()
    assert Until(store, moment).events.frame(end=end)["time"].max() < moment


def test_it_cannot_be_written_to(store):
    past = Until(store, middle(store))
    for write in (
        lambda: past.events.append(toy_events(3)[:1]),
        lambda: past.events.append_all([toy_events(3)[:1]]),
        lambda: past.words.put([]),
        lambda: past.words.remove(["x"]),
        lambda: past.erase("c"),
        lambda: past.export_customer("c"),
    ):
        with pytest.raises(StoreError, match="a view of the store"):
            write()


def test_the_catalogue_is_passed_through(store):
    assert Until(store, middle(store)).catalogue.count() == len(toy_items())
