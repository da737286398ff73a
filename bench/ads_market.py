"""A market of advertisers on the practice shop: who earns, who gains and what customers see, by auction, floor, reserve and budget.

Twelve advertisers share the brands of a small practice shop and bid for three of fifteen places of 1,200 searches (4,000 for
budgets). Values a click, true click chances and grades are the simulation's; the shop only has its own predictions, for ads
and for its other results alike. Honest advertisers bid the value of a click; learning ones play shares of it by regret
matching and are measured after 400 searches. `revenue`, `welfare` and `regret` (what the best fixed share of the value would
have gained more) are shares of the most that clicks could be worth to advertisers with every ad let in; changes are against
the same pages without ads. Intervals are over shops; every row of a shop sees the same searches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.contract import Metric, Row
from shopkeeper.practice import build
from shopkeeper.practice.ad_pages import AdPage, draw_pages, purchases
from shopkeeper.practice.market import Bidding, EnvyFree, Honest, RegretMatching, live, trade
from shopkeeper.ranking.ads.pacing import Traffic
from shopkeeper.trust.auctions import Mechanism

_ADVERTISERS = 12
_WARM = 400
_MEDIAN = 6
_BUDGET = 0.4
"""Share of what an advertiser would spend without a budget."""

Values = Mapping[str, float]


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:  # noqa: ARG001
    """Rows by mechanism, by relevance floor, by reserve and by pacing, each the mean over shops.

    Args:
        data: Not used: the shop is simulated.
        quick: Two shops and fewer searches.
        seed: Of the first shop; the others count up from it.
    """
    shops, searches, day = (2, 700, 700) if quick else (6, 1_200, 4_000)
    found: dict[str, list[Values]] = {}
    for shop in range(seed, seed + shops):
        practice = build(shop, products=800, customers=300, days=30)
        pages = draw_pages(practice, day, _ADVERTISERS, shop)
        hours = [event.time.hour + event.time.minute / 60 for event in practice.events if event.time < practice.cut]
        some = np.random.default_rng(shop).permutation(len(pages))[:searches]
        rows = _sales([pages[n] for n in some], shop) | _days(pages, Traffic.learnt(hours), shop)
        for name, values in rows.items():
            found.setdefault(name, []).append(values)
    return [_row(name, values) for name, values in found.items()]


def _sales(pages: Sequence[AdPage], seed: int) -> dict[str, Values]:
    """What comes of searches that are sold one by one; the first `_WARM` are only learnt from."""
    at = {rank: [page.above(rank) for page in pages] for rank in (None, 9, _MEDIAN, 3)}
    values = np.concatenate([page.values for page in at[_MEDIAN]])
    bare = [page.shown(np.empty(0, dtype=np.int64)) for page in pages[_WARM:]]
    ndcg = float(np.mean([page.ndcg(cards) for page, cards in zip(pages[_WARM:], bare, strict=True)]))
    bought = float(np.mean([purchases(cards) for cards in bare]))
    first, gsp, vcg = Mechanism
    most = trade(at[None], vcg, Honest(), warm=_WARM, seed=seed).possible

    def sold(mechanism: Mechanism, bidding: Bidding, rank: int | None = _MEDIAN, reserve: float = 0.0) -> Values:
        found = trade(at[rank], mechanism, bidding, reserve=reserve, warm=_WARM, seed=seed)
        return {
            "revenue": found.revenue / most,
            "welfare": found.welfare / most,
            "regret": found.regret / most,
            "ndcg@10": found.ndcg,
            "ndcg_change": found.ndcg - ndcg,
            "purchases_change": found.purchases / bought - 1,
            "ads": found.ads,
            "fitting_ads": found.fitting,
        }

    def learning() -> Bidding:
        return RegretMatching(_ADVERTISERS, np.random.default_rng([seed, 2]))

    rows = {
        "no ads": {"ndcg@10": ndcg},
        "shopkeeper vcg, honest": sold(vcg, Honest()),
        "shopkeeper vcg, learning": sold(vcg, learning()),
        "shopkeeper gsp, honest": sold(gsp, Honest()),
        "shopkeeper gsp, learning": sold(gsp, learning()),
        "shopkeeper gsp, envy-free": sold(gsp, EnvyFree()),
        "shopkeeper first price, honest": sold(first, Honest()),
        "shopkeeper first price, learning": sold(first, learning()),
        "shopkeeper vcg, honest, no floor": sold(vcg, Honest(), None),
        "shopkeeper vcg, honest, floor at the 9th": sold(vcg, Honest(), 9),
        "shopkeeper vcg, honest, floor at the 3rd": sold(vcg, Honest(), 3),
    }
    for share in (0.25, 0.5, 0.75):
        reserve = float(np.quantile(values, share))
        rows[f"shopkeeper vcg, honest, reserve at the {share:.0%} quantile"] = sold(vcg, Honest(), reserve=reserve)
    reserve = float(np.median(values))
    rows["shopkeeper gsp, learning, reserve at the 50% quantile"] = sold(gsp, learning(), reserve=reserve)
    return rows


def _days(pages: Sequence[AdPage], traffic: Traffic, seed: int) -> dict[str, Values]:
    """What budgets of `_BUDGET` times the free spending do on a day of searches, click by click."""
    day = [page.above(_MEDIAN) for page in pages]
    free = live(day, Mechanism.VICKREY, np.full(_ADVERTISERS, np.inf), traffic=None, seed=seed)
    budgets = np.maximum(_BUDGET * free.spent, 1e-9)
    rows: dict[str, Values] = {}
    for name, pacing in (("no pacing", None), ("paced", traffic), ("paced for an even day", Traffic.even())):
        lived = live(day, Mechanism.VICKREY, budgets, traffic=pacing, seed=seed)
        rows[f"shopkeeper vcg, budgets, {name}"] = {
            "budget_used": float(np.minimum(lived.spent, budgets).sum() / budgets.sum()),
            "budget_passed": float(np.maximum(lived.spent - budgets, 0.0).sum() / budgets.sum()),
            "lasted": float(lived.lasted.mean()),
            "unevenness": float(lived.uneven.mean()),
            "worth_kept": lived.welfare / free.welfare,
            "revenue_kept": lived.revenue / free.revenue,
        }
    return rows


def _row(name: str, values: Sequence[Values]) -> Row:
    metrics = {key: Metric.mean([each[key] for each in values]) for key in values[0]}
    return Row(name, metrics, notes=f"{len(values)} shops")
