"""Pages shaped by the shop's settings: variety, the customer's own mix, less of the popular, more of the new, suppliers' shares, the untried."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from pydantic import ValidationError
from test_recommend import NOW, Shop, ids

from shopkeeper.errors import SettingsError
from shopkeeper.records import EventKind, Request
from shopkeeper.settings import RecommendSettings, load
from shopkeeper.tasks.recommend.shaping import SHAPED, Shaper
from shopkeeper.tasks.recommend.task import RecommendTask


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path)
    yield made
    made.store.close()


def shaped(shop, trials=None, **knobs):
    settings = RecommendSettings(**knobs)
    shaper = Shaper(shop.shelf, settings, trials)
    return RecommendTask(
        shop.shelf,
        shop.task.behaviour,
        settings,
        recent=shop.sessions.recent,
        bought=shop.bought,
        shaper=shaper,
    )


def likeness(shop, items):
    vectors = shop.task.behaviour.vectors(shop.shelf.rows(items))
    table = vectors @ vectors.T
    return (table.sum() - np.trace(table)) / (len(items) * (len(items) - 1))


@pytest.mark.parametrize("way", ["likeness", "volume"])
def test_variety_spreads_the_page_and_keeps_the_best_first(shop, way):
    request = Request(customer="c00", limit=8)
    plain = ids(shop.task.answer(request))
    varied = ids(shaped(shop, diversity=0.7, diversity_by=way).answer(request))
    assert varied[0] == plain[0]
    assert len(set(varied)) == 8
    assert likeness(shop, varied) < likeness(shop, plain) - 0.05


def test_the_page_follows_the_customers_own_mix(shop):
    for number in range(5):
        shop.post(f"garden-0{number}", EventKind.CART, minute=number)
    for number in range(3):
        shop.post(f"kitchen-0{number}", EventKind.CART, minute=10 + number)
    request = Request(session="fresh", limit=10)
    wanted = 5 / 8

    def gardening(task):
        return Counter(item.split("-")[0] for item in ids(task.answer(request)))["garden"] / 10

    plain, mixed = gardening(shop.task), gardening(shaped(shop, calibration=0.9))
    assert abs(mixed - wanted) <= abs(plain - wanted)
    assert abs(mixed - wanted) <= 0.15


def test_popularity_can_be_taken_away_and_given(shop):
    request = Request(customer="c00", limit=5)
    evidence = shop.task.behaviour.evidence

    def touched(task):
        return float(evidence[shop.shelf.rows(ids(task.answer(request)))].mean())

    assert touched(shaped(shop, popularity=2.0)) < touched(shop.task) < touched(shaped(shop, popularity=-2.0)) + 1e-6


def test_the_new_is_lifted_by_what_it_should_gain_on_its_day_and_no_longer(shop):
    day = shop.shelf.item(shop.shelf.row("garden-15")).created
    request = Request(customer="c00", limit=SHAPED, time=day)
    plain = shop.task.answer(request)
    scores = {hit.item: hit.score for hit in plain.hits}
    ages = {item.id: (day - item.created) / timedelta(days=1) for item in shop.shelf.items}
    spread = float(np.std(np.array(list(scores.values()), dtype=np.float32)))
    wanted = {item: score + 2.0 * spread * 0.5 ** (max(ages[item], 0) / 5) for item, score in scores.items()}
    task = shaped(shop, freshness=2.0, freshness_days=5)
    found = ids(task.answer(request))
    assert found == sorted(scores, key=wanted.__getitem__, reverse=True)
    assert found.index("garden-15") < ids(plain).index("garden-15")
    later = replace(request, time=day + timedelta(days=365))
    assert ids(task.answer(later)) == ids(shop.task.answer(later))


@pytest.mark.parametrize("knobs", [{"freshness": -0.1}, {"freshness": 2.1}, {"freshness_days": 0.0}])
def test_no_gain_outside_its_bounds(knobs):
    with pytest.raises(ValidationError):
        RecommendSettings(**knobs)


def test_suppliers_come_near_their_share(shop):
    task = shaped(shop, suppliers="绿野=0.8")
    brands = {item.id: item.brand for item in shop.shelf.items}

    def share(task):
        answer = task.answer(Request(customer="c00", limit=6))
        return sum(brands[item] == "绿野" for item in ids(answer)) / 6

    before = share(task)
    for _ in range(400):
        after = share(task)
    assert before < 0.6
    assert after > before


def test_exploring_keeps_places_for_the_untried_with_known_chances(shop):
    def trials(names):
        looks = np.array([0.0 if name.endswith("7") else 500.0 for name in names])
        return 0.1 * looks, looks

    request = Request(customer="c00", limit=10, time=NOW)
    plain = ids(shop.task.answer(request))
    task = shaped(shop, trials, explore=0.5, explore_by="evenly", explore_clicks=1e9)
    pages = [task.answer(replace(request, id=f"r{number}")) for number in range(300)]
    drawn = [page for page in pages if ids(page) != plain]
    assert 0.4 < len(drawn) / len(pages) < 0.6
    for page in drawn:
        assert len(set(ids(page))) == 10
        assert all(0 < hit.propensity <= 1 for hit in page.hits)
        assert any(hit.item.endswith("7") for hit in page.hits)
    shown = Counter((place, hit.item) for page in pages for place, hit in enumerate(page.hits))
    chance = {(place, hit.item): hit.propensity for page in pages for place, hit in enumerate(page.hits)}
    for key, times in shown.items():
        assert abs(times / len(pages) - chance[key]) < 0.12
    assert ids(task.answer(request)) == ids(task.answer(request))
    later = task.answer(replace(request, offset=10))
    assert all(hit.propensity == 1 for hit in later.hits)


@pytest.mark.parametrize(
    "knobs",
    [{"diversity": 0.5}, {"calibration": 0.5}, {"popularity": 1.0}, {"freshness": 1.0}, {"suppliers": "Hearth=0.5"}],
)
def test_whatever_is_shaped_stays_allowed_whole_and_explained(shop, knobs):
    task = shaped(shop, **knobs)
    everything = task.answer(Request(customer="c00", limit=SHAPED, explain=True))
    plain = shop.task.answer(Request(customer="c00", limit=SHAPED))
    assert sorted(ids(everything)) == sorted(ids(plain))
    assert {hit.item: hit.score for hit in plain.hits} == pytest.approx({h.item: h.score for h in everything.hits})
    assert all(hit.reasons for hit in everything.hits)
    assert task.answer(Request(session="nobody", limit=5)).hits
    assert task.answer(Request(customer="c00", offset=1_000, limit=5)).hits == ()


@pytest.mark.parametrize("shares", ["Greenleaf", "Greenleaf=2", "Greenleaf=-0.1", "A=0.6,B=0.6", "A=x"])
def test_shares_that_do_not_add_up_are_refused(shares, tmp_path):
    with pytest.raises(ValidationError):
        RecommendSettings(suppliers=shares)
    with pytest.raises(SettingsError, match="BRAND=SHARE"):
        load(tmp_path, environ={}, overrides={"recommend.suppliers": shares})
