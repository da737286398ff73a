"""Reports of campaigns, on logs whose figures are known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shopkeeper.evaluation.ad_report import AFTER, ad_report
from shopkeeper.records import Event, EventKind, Impression
from shopkeeper.store.advertising import Campaign
from shopkeeper.store.database import SqlStore, open_store

T = datetime(2026, 3, 1, 12, tzinfo=UTC)
END = T + timedelta(days=10)
MINE = Campaign(id="mine", name="Mine", advertiser="a", items=("i",), bid=1.0, currency="EUR")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as opened:
        yield opened


def event(id_: str, kind: EventKind, hours: float, **fields: object) -> Event:
    return Event(id=id_, time=T + timedelta(hours=hours), kind=kind, **fields)  # type: ignore[arg-type]


def page(number: int, hours: float, *names: str, **properties: object) -> Event:
    for place, name in enumerate(names, 1):
        properties |= {f"campaign.{place}": name, f"price.{place}": 0.5, f"click.{place}": 0.1 * place}
    items = tuple(f"i{place}" for place in range(len(names)))
    shown = Impression(items=items, positions=tuple(range(1, len(names) + 1)), propensities=(1.0,) * len(names))
    fields = {"impression": shown, "request": f"r{number}", "properties": properties}
    return event(f"p{number}", EventKind.AD_IMPRESSION, hours, **fields)


def click(id_: str, hours: float, campaign: str = "mine", value: float | None = 0.5, **fields: object) -> Event:
    properties = {"campaign": campaign} | ({} if value is not None else {"uncharged": "late"})
    values = {"item": "i0", "customer": "c", **fields}
    return event(id_, EventKind.AD_CLICK, hours, value=value, properties=properties, **values)


def buy(id_: str, hours: float, value: float = 20.0, **fields: object) -> Event:
    return event(id_, EventKind.PURCHASE, hours, value=value, **{"item": "i0", "customer": "c", **fields})


def test_known_figures(store: SqlStore) -> None:
    store.events.append(
        [
            page(0, 0, "mine", "other"),
            page(1, 1, "other", "mine"),
            page(2, 30, "other", **{"lost.rank": '["mine","x"]'}),
            page(3, 30, **{"lost.budget": '["mine"]'}),
            page(4, 31, **{"lost.floor": '["x"]'}),
            click("k1", 2),
            click("k2", 3, value=None),
            click("k3", 26, value=0.25, customer="d"),
            click("k4", 27, "other"),
            event("k5", EventKind.AD_CLICK, 3.5, item="i0", customer="c", properties={"uncharged": "unknown"}),
            buy("b1", 4),  # after k1
            buy("b2", 28),  # the last click was the other campaign's
            buy("b3", 5, item="i1"),  # never clicked
            buy("b4", 27, 7.0, customer="d"),
            buy("b5", 1, customer="d"),  # before the click
        ]
    )
    report = ad_report(store.events, MINE, T, END)
    assert (report.showings, report.clicks, report.uncharged) == (2, 2, {"late": 1})
    assert (report.spend, report.cost_per_click) == (0.75, 0.375)
    assert (report.orders, report.sales, report.cost_per_order) == (2, 27.0, 0.375)
    assert (report.place, report.predicted) == (1.5, pytest.approx(0.15))
    assert report.lost == {"budget": 1, "floor": 0, "rank": 1}
    low, high = report.click_rate_interval or (0, 0)
    assert low < (report.click_rate or 0) <= high <= 1
    days = {day.isoformat(): (of.showings, of.clicks, of.spend, of.orders, of.sales) for day, of in report.days.items()}
    assert days == {"2026-03-01": (2, 1, 0.5, 1, 20.0), "2026-03-02": (0, 1, 0.25, 1, 7.0)}
    assert dict(report.days[max(report.days)].lost) == {"rank": 1, "budget": 1}


def test_a_sale_counts_for_seven_days_and_by_session_too(store: SqlStore) -> None:
    hours = AFTER / timedelta(hours=1)
    store.events.append(
        [
            click("k1", 0, customer="", session="s"),
            buy("b1", hours, customer="late", session="s"),
            buy("b2", hours + 0.1, customer="", session="s"),
        ]
    )
    assert ad_report(store.events, MINE, T, T + timedelta(hours=1)).orders == 1


def test_an_idle_campaign_has_no_rates(store: SqlStore) -> None:
    report = ad_report(store.events, MINE, T, END)
    assert report.days == {}
    assert [report.click_rate, report.click_rate_interval, report.predicted, report.place] == [None] * 4
    assert [report.cost_per_click, report.cost_per_order] == [None] * 2


def test_interval_is_wilsons(store: SqlStore) -> None:
    store.events.append([page(n, 0, "mine") for n in range(100)] + [click(f"k{n}", 1) for n in range(10)])
    assert ad_report(store.events, MINE, T, END).click_rate_interval == pytest.approx((0.0552, 0.1744), abs=1e-4)
