"""Money of campaigns: charged once, at the shop's own price, never beyond a budget, and the same after any accident."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopkeeper.records import Event, EventKind, Impression
from shopkeeper.store.advertising import Campaign
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.tasks.advertise.spend import LATE, AdSpend, priced_ads, unpriced

T = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = T.date()


def campaign(name: str, **fields: object) -> Campaign:
    values = {"name": name, "advertiser": name, "items": ("a", "b"), "bid": 1.0, "currency": "EUR", **fields}
    return Campaign(id=name, **values)  # type: ignore[arg-type]


def page(request: str, ads: dict[str, tuple[str, float]], time: datetime = T, **fields: str) -> Event:
    items = tuple(ads)
    properties: dict[str, str | float] = {"currency": "EUR"}
    for place, (name, price) in enumerate(ads.values(), 1):
        properties |= {f"campaign.{place}": name, f"price.{place}": price}
    shown = Impression(items=items, positions=tuple(range(1, len(items) + 1)), propensities=(1.0,) * len(items))
    values = {"customer": "c", "session": "s", **fields}
    return Event(
        id=f"page-{request}", time=time, kind=EventKind.AD_IMPRESSION, request=request, impression=shown,
        properties=properties, **values,
    )  # fmt: skip


def click(number: object, request: str, item: str = "a", time: datetime = T, **fields: object) -> Event:
    values = {"customer": "c", "session": "s", **fields}
    return Event(id=f"click-{number}", time=time, kind=EventKind.AD_CLICK, request=request, item=item, **values)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as opened:
        yield opened


def ledger(store: SqlStore, *campaigns: Campaign) -> AdSpend:
    return AdSpend(store.events, {one.id: one for one in campaigns}.get)


def post(spend: AdSpend, store: SqlStore, *events: Event) -> list[Event]:
    with spend.charging(events) as priced:
        store.events.append(priced)
    return list(priced)


def outcome(event: Event) -> object:
    return event.value if event.value is not None else event.properties["uncharged"]


def test_a_click_costs_what_its_page_said_and_only_once(store: SqlStore) -> None:
    spend = ledger(store, campaign("x"), campaign("y"))
    store.events.append([page("r", {"a": ("x", 0.4), "b": ("y", 0.3)})])
    first = click(1, "r", value=99.0, properties={"campaign": "y", "price.1": 0.0, "from": "list"})
    charged, again, other = post(spend, store, first, click(2, "r"), click(3, "r", "b"))
    assert (charged.value, charged.properties) == (0.4, {"from": "list", "campaign": "x"})
    assert (outcome(again), other.value) == ("repeated", 0.3)
    assert outcome(post(spend, store, click(4, "r"))[0]) == "repeated"
    post(spend, store, first)  # the very same event once more
    assert (spend.spent("x"), spend.spent("y"), spend.spent("x", DAY), spend.spent("z")) == (0.4, 0.3, 0.4, 0.0)
    assert spend.spent("x", DAY + timedelta(days=1)) == 0.0


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"request": "never"}, "unknown"),
        ({"item": "b"}, "unknown"),
        ({"time": T + LATE + timedelta(seconds=1)}, "late"),
        ({"time": T - timedelta(minutes=6)}, "clock"),
        ({"session": "t", "customer": ""}, "visitor"),
        ({"session": "t", "customer": "d"}, "visitor"),
    ],
)
def test_doubtful_clicks_are_kept_and_cost_nothing(store: SqlStore, fields: dict[str, object], why: str) -> None:
    spend = ledger(store, campaign("x"))
    store.events.append([page("r", {"a": ("x", 0.4)})])
    found = post(spend, store, replace(click(1, "r"), **fields))[0]  # type: ignore[arg-type]
    assert (outcome(found), spend.spent("x")) == (why, 0.0)
    assert store.events.count() == 2
    assert post(spend, store, click(2, "r"))[0].value == 0.4  # the true one still counts


def test_a_customer_who_changed_the_session_is_the_same_visitor(store: SqlStore) -> None:
    spend = ledger(store, campaign("x"))
    store.events.append([page("r", {"a": ("x", 0.4)})])
    assert post(spend, store, click(1, "r", session="t"))[0].value == 0.4


def test_a_removed_campaign_pays_no_more(store: SqlStore) -> None:
    spend = ledger(store)
    store.events.append([page("r", {"a": ("x", 0.4)})])
    assert outcome(post(spend, store, click(1, "r"))[0]) == "removed"


def test_outsiders_cannot_set_prices() -> None:
    forged = page("r", {"a": ("x", 0.0)})
    assert priced_ads(forged)
    assert not priced_ads(unpriced(forged))
    assert unpriced(forged).properties == {"currency": "EUR"}
    assert unpriced(click(1, "r", value=3.0)).value is None
    bought = Event(id="e", time=T, kind=EventKind.PURCHASE, item="a", value=3.0, properties={"price": 3.0})
    assert unpriced(bought) == bought


def test_the_last_click_of_a_budget_costs_what_is_left(store: SqlStore) -> None:
    one = campaign("x", daily_budget=1.0, total_budget=1.5)
    spend = ledger(store, one)
    store.events.append([page(f"r{n}", {"a": ("x", 0.4)}, T + timedelta(days=n // 4)) for n in range(8)])
    found = post(spend, store, *(click(n, f"r{n}", time=T + timedelta(days=n // 4)) for n in range(8)))
    assert [round(event.value, 9) if event.value else outcome(event) for event in found] == [
        0.4, 0.4, 0.2, "budget", 0.4, 0.1, "budget", "budget",
    ]  # fmt: skip
    assert spend.left(one, DAY) == spend.left(one, DAY + timedelta(days=9)) == 0.0
    assert spend.plan(one, DAY + timedelta(days=1)) == pytest.approx((0.5, 0.5))
    assert spend.plan(campaign("z"), DAY) == (float("inf"), 0.0)


def test_showings_looks_and_clicks_are_counted(store: SqlStore) -> None:
    spend = ledger(store, campaign("x"), campaign("y"))
    store.events.append([page(f"r{n}", {"a": ("x", 0.4), "b": ("y", 0.4)}) for n in range(3)])
    post(spend, store, click(1, "r1", "b"))
    assert (spend.shown("x", "c", DAY), spend.shown("x", "d", DAY), spend.shown("x", "c", date(2026, 2, 28))) == (
        3,
        0,
        0,
    )
    clicks, looks = spend.trials(["a", "b", "new"])
    assert clicks.tolist() == [0, 1, 0]
    assert looks.tolist() == pytest.approx([3, 3 / 1.584962500721156, 0])
    spend.forget("c")
    assert spend.shown("x", "c", DAY) == 0
    assert spend.spent("y") == 0.4


def test_a_page_that_is_asked_for_twice_is_not_charged_twice(store: SqlStore) -> None:
    spend = ledger(store, campaign("x"))
    once = page("r", {"a": ("x", 0.4)})
    store.events.append([once])
    post(spend, store, click(1, "r"))
    store.events.append([replace(once, id="again")])
    assert outcome(post(spend, store, click(2, "r"))[0]) == "repeated"


def test_old_pages_are_let_go(store: SqlStore) -> None:
    spend = ledger(store, campaign("x"))
    store.events.append([page(f"r{n}", {"a": ("x", 0.1)}, T + timedelta(hours=n)) for n in range(100)])
    spend.refresh()
    assert len(spend._pages) <= 27
    assert len(spend._showings) <= 2


_steps = st.lists(
    st.tuples(st.sampled_from("rstu"), st.sampled_from("ab"), st.integers(-1, 30), st.sampled_from(["p", "c", "c"])),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=_steps, daily=st.sampled_from([None, 0.5, 1.0]), total=st.sampled_from([None, 1.0]))
def test_a_fold_from_scratch_is_equal_and_budgets_hold(
    store: SqlStore, steps: list[tuple[str, str, int, str]], daily: float | None, total: float | None
) -> None:
    one = campaign(f"x{store.events.position}", daily_budget=daily and daily + 1, total_budget=total and total + 1)
    spend, mark = ledger(store, one), store.events.position
    for number, (request, item, hours, what) in enumerate(steps):
        name, time = f"{mark}-{request}", T + timedelta(hours=hours)
        if what == "p":
            event = replace(page(name, {"a": (one.id, 0.7), "b": (one.id, 0.6)}, time), id=f"{mark}-{number}")
        else:
            event = click(f"{mark}-{number}", name, item, time)
        post(spend, store, event)
    spend.refresh()
    fresh = ledger(store, one)
    owed = [e.value for _, e in store.events.scan(mark, kinds=[EventKind.AD_CLICK]) if e.value is not None]
    assert spend.spent(one.id) == fresh.spent(one.id) == pytest.approx(sum(owed))
    assert spend._spent[one.id] == fresh._spent[one.id]
    assert one.total_budget is None or spend.spent(one.id) <= one.total_budget + 1e-9
    for day in spend._spent[one.id]:
        assert one.daily_budget is None or spend.spent(one.id, day) <= one.daily_budget + 1e-9
    pairs = [(e.request, e.item) for _, e in store.events.scan(mark, kinds=[EventKind.AD_CLICK]) if e.value is not None]
    assert len(pairs) == len(set(pairs))


def test_several_workers_pass_a_budget_by_less_than_a_click_each(tmp_path: Path) -> None:
    url, workers, each = f"sqlite:///{tmp_path / 'shop.db'}", 3, 40
    one = campaign("x", daily_budget=20.0)
    with open_store(url) as store:
        store.events.append([page(f"r{w}-{n}", {"a": ("x", 0.7)}) for w in range(workers) for n in range(each)])

    def work(worker: int) -> None:
        with open_store(url) as own:
            spend = ledger(own, one)
            for number in range(each):
                post(spend, own, click(f"{worker}-{number}", f"r{worker}-{number}"))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open_store(url) as store:
        spent = ledger(store, one).spent("x")
        charged = sum(e.value or 0.0 for _, e in store.events.scan(kinds=[EventKind.AD_CLICK]))
    assert spent == pytest.approx(charged)
    assert 20.0 - 1e-9 <= spent <= 20.0 + (workers - 1) * 0.7 + 1e-9


_CHILD = """
import sys
from tests_of_spend import campaign, click, ledger, open_store, page, post
store = open_store(sys.argv[1])
one = campaign("x", daily_budget=30.0)
spend = ledger(store, one)
number = 0
while True:
    store.events.append([page(f"r{number}", {"a": ("x", 0.7)})])
    print(post(spend, store, click(number, f"r{number}"))[0].value or 0.0, flush=True)
    number += 1
"""


def test_what_was_charged_is_owed_after_a_kill(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    (tmp_path / "tests_of_spend.py").write_text(Path(__file__).read_text())
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_CHILD), url], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert child.stdout is not None
    acknowledged = [float(child.stdout.readline()) for _ in range(25)]
    child.send_signal(signal.SIGKILL)
    acknowledged += [float(line) for line in child.stdout.read().splitlines() if line.endswith(("0", "7"))]
    child.wait()
    child.stdout.close()
    with open_store(url) as store:
        spend = ledger(store, campaign("x", daily_budget=30.0))
        clicks = [event for _, event in store.events.scan(kinds=[EventKind.AD_CLICK])]
        assert spend.spent("x") == pytest.approx(sum(event.value or 0.0 for event in clicks))
        assert sum(acknowledged) - 1e-9 <= spend.spent("x") <= 30.0 + 1e-9
        assert outcome(post(spend, store, click("late", "r3"))[0]) == "repeated"
