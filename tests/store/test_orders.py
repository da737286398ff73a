"""Orders, readings and alerts, in every database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import Passage, PassageKind, now
from shopkeeper.store.database import open_store
from shopkeeper.store.documents import Document
from shopkeeper.store.orders import MOVED, NEXT, Order, OrderLine, OrderStatus, order_document

T = datetime(2026, 5, 1, 12, tzinfo=UTC)
LINES = (OrderLine(item="a", quantity=2, price=9.5), OrderLine(item="b"))
ORDER = Order(id="o1", customer="ann", placed=T, lines=LINES, total=19.0, currency="EUR", due=T + timedelta(days=3))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request, tmp_path):
    url = f"sqlite:///{tmp_path / 'shop.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with open_store(url) as store:
        yield store


def test_orders_come_back_as_they_were_newest_first(store):
    later = replace(ORDER, id="o2", placed=T + timedelta(days=1), address="1 Long Road", delivered=T)
    assert store.orders.put([ORDER, later, replace(ORDER, id="o3", customer="bob")]).added == 3
    assert store.orders.put([ORDER]).unchanged == 1
    assert store.orders.of_customer("ann") == [later, ORDER]
    assert store.orders.get(["o1", "none"]) == {"o1": ORDER}
    assert order_document(ORDER)["lines"][0] == {"item": "a", "quantity": 2, "price": 9.5}


def test_an_order_goes_only_where_it_may_and_every_move_is_noted(store):
    store.orders.put([ORDER])
    assert store.orders.move("o1", OrderStatus.PACKED, "ann", address="2 Short Road").address == "2 Short Road"
    assert store.orders.move("o1", OrderStatus.CANCELLED, "ann", key="k").status is OrderStatus.CANCELLED
    assert store.orders.move("o1", OrderStatus.CANCELLED, "ann", key="k").status is OrderStatus.CANCELLED
    with pytest.raises(InputError, match="cancelled cannot become shipped"):
        store.orders.move("o1", OrderStatus.SHIPPED)
    with pytest.raises(InputError, match="cannot be sent elsewhere"):
        store.orders.move("o1", OrderStatus.CANCELLED, address="3 High Road")
    with pytest.raises(NotFoundError):
        store.orders.move("o9", OrderStatus.SHIPPED)
    acts = [act for _, act in store.audit.scan() if act.action == MOVED]
    assert [act.detail["after"] for act in acts] == ["packed", "cancelled"]


def test_an_order_knows_when_it_arrived(store):
    store.orders.put([ORDER])
    before = now()
    for status in (OrderStatus.PACKED, OrderStatus.SHIPPED):
        assert store.orders.move(ORDER.id, status).delivered is None
    arrived = store.orders.move(ORDER.id, OrderStatus.DELIVERED).delivered
    assert before <= arrived <= now()
    assert store.orders.get([ORDER.id])[ORDER.id].delivered == arrived


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (replace(ORDER, id=""), "id is empty"),
        (replace(ORDER, customer=""), "customer is empty"),
        (replace(ORDER, total=float("nan")), "finite"),
        (replace(ORDER, placed=T.replace(tzinfo=None)), "zone"),
        (replace(ORDER, address="a\x00b"), "NUL"),
    ],
)
def test_what_cannot_be_kept_is_refused(store, order, said):
    with pytest.raises(InputError, match=said):
        store.orders.put([order])


@given(st.lists(st.sampled_from(OrderStatus), max_size=6))
def test_what_is_over_stays_over(moves):
    status = OrderStatus.PLACED
    for wanted in moves:
        status = wanted if wanted in NEXT[status] else status
    assert (status in (OrderStatus.CANCELLED, OrderStatus.RETURNED)) == (not NEXT[status])


def test_an_erased_customer_leaves_neither_orders_nor_readings(store):
    store.orders.put([ORDER])
    store.words.put([Passage(id="p", kind=PassageKind.POST, text="good", customer="ann", time=T, source="forum")])
    store.readings.put([Document("p", T, {"sentiment": 0.5})])
    assert store.export_customer("ann")["orders"][0]["body"]["total"] == 19.0
    store.erase("ann")
    assert store.orders.of_customer("ann") == []
    assert store.readings.count() == 0


def test_what_is_unread_comes_oldest_first_and_once(store):
    posts = [
        Passage(id=f"p{day}", kind=PassageKind.POST, text="x", time=T + timedelta(days=day), source="s")
        for day in (2, 0, 1)
    ]
    faq = Passage(id="faq", kind=PassageKind.FAQ, text="x", time=T)
    store.words.put([*posts, faq, Passage(id="undated", kind=PassageKind.POST, text="x")])
    assert [post.id for post in store.readings.unread()] == ["p0", "p1", "p2"]
    assert [post.source for post in store.readings.unread(1)] == ["s"]
    document = Document("p0", T, {"topics": ["price"]})
    store.readings.put([document])
    assert [post.id for post in store.readings.unread()] == ["p1", "p2"]
    assert store.readings.get(["p0"]) == {"p0": document}
    assert list(store.readings.scan(T, T + timedelta(hours=1))) == [document]
    assert list(store.readings.scan(T + timedelta(hours=1))) == []


def test_the_latest_readings_come_first_chunk_by_chunk(store):
    times = {"a": 3, "b": 1, "ü": 1, "c": 1, "茶": 1, "d": 2, "e": 0, "f": 4}
    store.readings.put([Document(name, T + timedelta(seconds=second), {}) for name, second in times.items()])
    wanted = sorted((name for name in times if 0 < times[name] < 4), key=lambda name: (times[name], name), reverse=True)
    start, end = T + timedelta(seconds=1), T + timedelta(seconds=4)
    for chunk in (1, 2, 3, 6, 7):
        assert [one.id for one in store.readings.latest(start, end, chunk)] == wanted
    assert list(store.readings.latest(end + timedelta(days=1), end + timedelta(days=2))) == []


def test_alerts_stay_open_until_everybody_was_told(store):
    alert = Document("a", T, {"topic": "delivery"}, open=True)
    store.alerts.put([alert])
    assert list(store.alerts.open()) == [alert]
    store.alerts.put([replace(alert, open=False)])
    assert list(store.alerts.open()) == []
    assert [found.id for found in store.alerts.scan(T)] == ["a"]


def test_an_alert_is_amended_in_one_go(store):
    assert store.alerts.amend("b", lambda before: Document("b", T, {"known": before is not None}, open=True)) is None
    before = store.alerts.amend("b", lambda found: replace(found, body={**found.body, "more": 1}))
    assert before == Document("b", T, {"known": False}, open=True)
    assert store.alerts.get(["b"])["b"].body == {"known": False, "more": 1}
    with pytest.raises(InputError):
        store.alerts.amend("b", lambda found: replace(found, id=""))
    assert store.alerts.get(["b"])["b"].body == {"known": False, "more": 1}


def test_a_conversation_is_read_from_its_end(store):
    turns = [
        Passage(
            id=f"t{number}", kind=PassageKind.DIALOGUE, text=str(number), thread="c", customer="ann",
            time=T + timedelta(seconds=number),
        )
        for number in range(5)
    ]  # fmt: skip
    store.words.put(turns)
    assert store.words.of_thread("c", 2) == turns[3:]
    assert store.words.of_customer("ann") == turns
    assert store.words.of_thread("d") == []
