"""The practice checkout asks the guard: what it refuses is not bought, what it doubts waits for a human."""

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from test_storefront import events

pytest.importorskip("pyod")

from shopkeeper.models.bundle import Bundle
from shopkeeper.ranking.payments.columns import TASK
from shopkeeper.recipes.guard.fraud import FraudOptions, train_fraud
from shopkeeper.records import Event, EventKind, Item, now
from shopkeeper.store.database import open_store
from shopkeeper.tasks.shop import Shop

Arrive = Callable[..., TestClient]
Guarded = Callable[[Bundle], None]


def learnt(shop: Shop, folder: Path, options: FraudOptions, *, labelled: bool) -> Bundle:
    """What a guard learns where payments cost 5 to 60, and, with labels, some above 500 that were all fraud."""
    rng = np.random.default_rng(5)
    store = open_store(f"sqlite:///{folder / 'shop.db'}")
    start, n = now() - timedelta(days=80), 1_500 if labelled else 300
    lines = []
    for number in range(n):
        fraud = labelled and number % 12 == 0
        value = float(rng.uniform(500, 2_000) if fraud else rng.uniform(5, 60))
        properties: dict[str, str | bool] = {"device": f"d{rng.integers(40)}", "currency": "EUR"}
        lines.append(
            Event(
                id=f"e{number}",
                time=start + timedelta(days=79 * number / n),
                kind=EventKind.PURCHASE,
                customer=f"c{rng.integers(60)}",
                item="i1",
                value=round(value, 2),
                properties=properties | ({"fraud": fraud} if labelled else {}),
            )
        )
    store.events.append(lines)
    bundle = train_fraud(store, shop.settings, folder / "bundle", options=options)
    store.close()
    return bundle


@pytest.fixture(scope="module")
def refusing(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Reviews cost so much that it refuses whatever it would not let through."""
    return learnt(shop, tmp_path_factory.mktemp("refusing"), FraudOptions(members=1, review_cost=1e6), labelled=True)


@pytest.fixture(scope="module")
def doubting(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Nobody has labelled anything, so that it can only ask."""
    return learnt(shop, tmp_path_factory.mktemp("doubting"), FraudOptions(reviews_a_day=0.5), labelled=False)


@pytest.fixture(scope="module")
def standing(shop: Shop) -> Iterator[Guarded]:
    """Puts a guard into the shop, unless it stands there already; a reload takes a while."""
    there: list[Bundle] = []

    def guard(bundle: Bundle) -> None:
        if not there or there[-1] is not bundle:
            there.append(bundle)
            shop.registry.promote(TASK, shop.registry.add(bundle.folder))
            shop.reload()

    yield guard
    shutil.rmtree(shop.settings.bundles / TASK)
    shop.reload()


@pytest.fixture
def guarded(shop: Shop, standing: Guarded) -> Iterator[Guarded]:
    """The same for one test, after which no alert waits."""
    yield standing
    shop.store.labels.withdraw(TASK)


def put(browser: TestClient, item: str, pieces: int = 1) -> None:
    browser.post("/basket/add", data={"item": item, "quantity": str(pieces)})


def regular(shop: Shop, browser: TestClient, customer: str) -> None:
    """The visitor is a customer who paid 15 to 19 on each of the last days, sent to the same address."""
    properties = {"address": f"a-{customer}", "currency": "EUR"}
    lived = [
        Event(
            id=f"{customer}-{browser.headers['Accept-Language']}-{day}",
            time=now() - timedelta(days=day),
            kind=EventKind.PURCHASE,
            customer=customer,
            item="kitchen-00",
            value=14.0 + day,
            properties=properties,
        )
        for day in range(1, 6)
    ]
    shop.record(lived)
    browser.post("/as", data={"customer": customer})


def purchases(shop: Shop, browser: TestClient) -> list[Event]:
    return [event for event in events(shop, browser) if event.kind is EventKind.PURCHASE]


def test_without_a_guard_nothing_is_asked_and_a_second_press_is_the_same_order(visitor: Arrive, shop: Shop):
    assert not shop.guards
    browser = visitor()
    put(browser, "kitchen-04", 99)
    assert "Thank you" in browser.post("/checkout").text
    assert browser.post("/checkout").url.path == "/basket"
    assert len(purchases(shop, browser)) == 1
    put(browser, "kitchen-04")
    browser.post("/checkout")
    assert len({event.properties["order"] for event in purchases(shop, browser)}) == 2


@pytest.mark.parametrize(("language", "said"), [("en", "This payment was not accepted"), ("zh", "这笔付款未被接受")])
def test_a_payment_that_is_refused_buys_nothing(
    visitor: Arrive, shop: Shop, guarded: Guarded, refusing: Bundle, language: str, said: str
):
    guarded(refusing)
    browser = visitor(language)
    put(browser, "kitchen-04", 99)
    for _ in range(2):  # asking again is the same payment, and one alert
        answer = browser.post("/checkout")
        assert answer.status_code == 403
        assert said in answer.text
        assert 'action="/checkout"' in answer.text, "the basket is still there"
    assert purchases(shop, browser) == []
    [alert] = shop.guard.alerts()
    assert "1,485.00 EUR" in alert.text
    browser.post("/basket/remove", data={"item": "kitchen-04"})
    put(browser, "kitchen-04")
    assert "not accepted" not in browser.get("/basket").text
    assert browser.post("/checkout").status_code == 200
    assert [event.value for event in purchases(shop, browser)] == [15.0]


def test_each_currency_is_a_payment_and_one_refused_refuses_the_order(
    visitor: Arrive, shop: Shop, guarded: Guarded, refusing: Bundle
):
    dollars = Item(id="dollar-1", title="Brass lamp", language="en", price=12.0, currency="USD", category=("Kitchen",))
    unknown = Item(id="asked-1", title="Brass lamp on request", language="en", category=("Kitchen",))
    shop.put([dollars, unknown])
    guarded(refusing)
    browser = visitor()
    put(browser, "dollar-1")
    put(browser, "asked-1")
    put(browser, "kitchen-04", 99)
    assert browser.post("/checkout").status_code == 403
    assert purchases(shop, browser) == []
    browser.post("/basket/remove", data={"item": "kitchen-04"})
    put(browser, "kitchen-04")
    assert "Thank you" in browser.post("/checkout").text
    assert len({event.properties["payment"] for event in purchases(shop, browser)}) == 3
    shop.remove(["dollar-1", "asked-1"])


@pytest.mark.parametrize(("language", "said"), [("en", "looks through this order"), ("zh", "核对这份订单")])
def test_a_payment_in_doubt_is_taken_and_waits_for_a_human(
    visitor: Arrive, shop: Shop, guarded: Guarded, doubting: Bundle, language: str, said: str
):
    guarded(doubting)
    browser = visitor(language)
    regular(shop, browser, "c03")
    put(browser, "kitchen-04", 99)
    assert said in browser.post("/checkout").text
    [bought] = purchases(shop, browser)
    [alert] = shop.guard.alerts()
    assert alert.subject == bought.properties["payment"]
    assert alert.customer == bought.customer == "c03"
    assert bought.properties["device"] == bought.session == browser.cookies["shop_session"]
    assert shop.guard.note([bought]) == 0, "judged and recorded, it counts once"
    assert shop.guard.decide(alert.subject, "genuine", "anna").label == "genuine"


def test_what_is_in_order_passes_without_a_word(visitor: Arrive, shop: Shop, guarded: Guarded, doubting: Bundle):
    guarded(doubting)
    browser = visitor()
    put(browser, "kitchen-04")
    put(browser, "garden-00")
    text = browser.post("/checkout").text
    assert "Thank you" in text
    assert "looks through" not in text
    assert len({event.properties["payment"] for event in purchases(shop, browser)}) == 1
    assert shop.guard.alerts() == []


def test_the_address_of_the_last_purchase_is_looked_at(visitor: Arrive, shop: Shop, guarded: Guarded, doubting: Bundle):
    guarded(doubting)
    browser = visitor()
    regular(shop, browser, "c05")
    put(browser, "kitchen-04", 99)
    browser.post("/checkout")
    assert [event.properties["address"] for event in purchases(shop, browser)] == ["a-c05"]
    assert "address a-c05" in shop.guard.alerts()[0].text
