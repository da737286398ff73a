"""What was written to one customer: quoted to others without that one's data, and no longer once that one is erased."""

import threading
from datetime import UTC, datetime

import pytest
from toyshop import toy_store

from shopkeeper.records import Passage, PassageKind
from shopkeeper.settings import load
from shopkeeper.store.orders import Order, OrderLine, OrderStatus
from shopkeeper.tasks import shop as shop_module
from shopkeeper.tasks.assist import task as task_module
from shopkeeper.tasks.assist.turns import Turn
from shopkeeper.tasks.shop import Shop

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def dialogue(number, customer, asked, answered):
    base = {
        "kind": PassageKind.DIALOGUE,
        "thread": f"old-{number}",
        "customer": customer,
        "language": "en",
        "time": NOON,
    }
    return [
        Passage(id=f"d{number}-1", author="customer", text=asked, **base),
        Passage(id=f"d{number}-2", author="staff", text=answered, **base),
    ]


@pytest.fixture
def shop(tmp_path):
    settings = load(tmp_path, environ={}, overrides={"models.encoder": "use-multilingual"})
    store = toy_store(tmp_path)
    store.words.put(
        [
            *dialogue(
                1, "c30", "Do you offer gift wrapping?", "Ms Meyer, we wrap gifts; yours goes to 12 Baker Street."
            ),
            *dialogue(
                2, "c31", "Can I collect my parcel?", "Of course, we rang you at 138 0013 8000 about collecting."
            ),
            Passage(id="faq", kind=PassageKind.FAQ, title="How can I pay?", text="By card and PayPal.", language="en"),
        ]
    )
    opened = Shop(settings, store)
    yield opened
    opened.close()


def test_data_of_others_are_in_no_part_of_a_reply(shop):
    reply = shop.assist(Turn(text="Do you offer gift wrapping?"))
    assert "wrap gifts" in reply.text, "the answer itself is told"
    everything = repr(reply)
    assert "Baker Street" not in everything
    assert "138 0013 8000" not in repr(shop.assist(Turn(text="Can I collect my parcel?")))


def test_what_staff_wrote_to_an_erased_customer_is_quoted_no_longer(shop):
    assert "wrap gifts" in shop.assist(Turn(text="Do you offer gift wrapping?")).text
    shop.erase("c30")
    assert "wrap gifts" not in repr(shop.assist(Turn(text="Do you offer gift wrapping?")))


def test_what_the_house_says_now_is_quoted(shop, monkeypatch):
    assert "PayPal" in shop.assist(Turn(text="How can I pay?")).text
    shop.store.words.put(
        [Passage(id="faq", kind=PassageKind.FAQ, title="How can I pay?", text="Only in cash.", language="en")]
    )
    monkeypatch.setattr(shop_module, "_HOUSE_SECONDS", 0.0)
    shop.refresh()
    assert "Only in cash." in shop.assist(Turn(text="How can I pay?")).text


def test_an_order_is_not_found_within_a_longer_number(shop):
    line = OrderLine(item="garden-04", price=5.0)
    shop.store.orders.put(
        [
            Order(
                id="1001",
                customer="c12",
                placed=NOON,
                status=OrderStatus.PLACED,
                lines=(line,),
                total=5.0,
                currency="EUR",
            )
        ]
    )
    for text in ("Cancel order 10017", "Where is order 21001?", "取消订单10017", "订单A-1001-2到哪了"):
        reply = shop.assist(Turn(text=text, customer="c12", time=NOON))
        assert reply.proposal is None, text
    assert shop.assist(Turn(text="Cancel order 1001", customer="c12", time=NOON)).proposal is not None
    assert shop.assist(Turn(text="取消订单1001。", customer="c12", time=NOON)).proposal is not None


def test_a_turn_in_hand_is_not_written_down_after_the_customer_was_erased(shop, monkeypatch):
    decide, reached, erased = task_module.decide, threading.Event(), threading.Event()

    def slow(situation, counter):
        reached.set()
        erased.wait(1.0)  # erasing must wait for this turn: it is not over yet
        return decide(situation, counter)

    shop.assist(Turn(text="hello"))
    monkeypatch.setattr(task_module, "decide", slow)
    turn = Turn(text="How can I pay?", customer="c44")
    talking = threading.Thread(target=shop.assist, args=[turn])
    talking.start()
    assert reached.wait(20)
    erasing = threading.Thread(target=lambda: (shop.erase("c44"), erased.set()))
    erasing.start()
    talking.join(20)
    erasing.join(20)
    assert erased.is_set()
    assert not shop.store.words.of_customer("c44")
    assert not shop.conversations.turns(turn.conversation)
