"""Clicks are cleaned of place, repeats and robots."""

import numpy as np
import pytest
from clicklog import PLACES, TRUE, page, simulate
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.ranking.clicks import ClickTable, click_statistics
from shopkeeper.ranking.examination import comparable_clicks, examination, expected, harvested
from shopkeeper.ranking.shown import Showing, Shown, Sift, columns, query_key, read_shown


def test_a_page_loaded_twice_counts_once_at_its_highest_place():
    events = [*page("r1", "ab"), *page("r2", "ba", ["a"])]
    shown = read_shown(events)
    assert shown.items == ("a", "b")
    assert shown.place.tolist() == [1, 1]
    assert shown.clicked.tolist() == [True, False]


def test_two_sessions_count_twice_and_no_session_is_one_of_its_own():
    assert len(read_shown([*page("r1", "a"), *page("r2", "a", session="t")])) == 2
    assert len(read_shown([*page("r1", "a", session=""), *page("r2", "a", session="")])) == 2


@pytest.mark.parametrize(
    ("typed", "again"), [("Red  SHOES", "red shoes"), ("红色　运动鞋", "红色 运动鞋"), ("ＵＳＢ线", "usb线")]
)
def test_spellings_of_one_query_are_one(typed, again):
    assert query_key(typed) == query_key(again)
    assert len(read_shown([*page("r1", "a", query=typed), *page("r2", "a", query=again)])) == 1


def test_a_click_may_come_before_what_it_clicks():
    seen, click = page("r1", "a", ["a"])
    table = ClickTable(TRUE)
    table.fold([click])
    assert len(table) == 0
    table.fold([seen])
    assert table.rates("red shoes", ["a"]).clicks[0] > 0.9


def test_a_purchase_that_names_the_search_is_a_click_and_an_order():
    shown = read_shown(page("r1", "ab", bought=["b"]))
    assert shown.clicked.tolist() == shown.ordered.tolist() == [False, True]


def test_pages_without_words_do_not_count():
    assert len(read_shown(page("r1", "ab", query=""))) == 0


def test_robots_do_not_count_even_afterwards():
    crawl = [event for n in range(30) for event in page(f"r{n}", [f"i{n}"], [f"i{n}"], session="bot", query=f"q{n}")]
    human = page("h", ["i1", "i2"], ["i1"], query="q1")
    assert {showing for showing in Sift().fold([*crawl, *human])[0] if showing.query != "q1"} == set()
    table = ClickTable(TRUE)
    table.fold(crawl[:10])
    before = float(table.rates("q1", ["i1"]).evidence[0])
    table.fold([*crawl[10:], *human])
    clean = click_statistics(human, TRUE)
    assert before > 0
    assert np.allclose(table.rates("q1", ["i1", "i2", "i3"]).table, clean.rates("q1", ["i1", "i2", "i3"]).table)


def test_where_rankers_differ_the_places_are_found_exactly():
    shown, _, _ = simulate(1, sessions=6000, rankers=3)
    assert comparable_clicks(shown) > 2000
    assert np.abs(harvested(shown) - TRUE).max() < 0.09
    assert np.array_equal(examination(shown), harvested(shown))


def test_where_one_ranker_stands_still_its_features_tell_worth_from_place():
    shown, attraction, _ = simulate(2, sessions=6000)
    truth = np.array(
        [
            attraction[int(shown.queries[q][1:]), int(shown.items[i].split("-i")[1])]
            for q, i in zip(shown.query, shown.item, strict=True)
        ]
    )
    features = np.stack([np.log(truth), np.random.default_rng(0).normal(size=len(shown))], axis=1)
    assert comparable_clicks(shown) == 0
    assert np.abs(expected(shown, features) - TRUE).max() < 0.12
    assert np.array_equal(examination(shown, features), expected(shown, features))


def test_what_the_log_cannot_tell_is_guessed():
    shown, _, _ = simulate(2, sessions=300)
    assert examination(shown) == pytest.approx(1 / np.log2(np.arange(2, PLACES + 2)), abs=1e-4)
    far = read_shown([event for n in range(3) for event in page(f"r{n}", [f"i{k}" for k in range(80)], session=f"{n}")])
    assert len(examination(far)) == 60
    assert examination(far).min() > 0


def test_what_a_learning_ranker_moved_up_is_not_compared_with_where_it_came_from():
    rng = np.random.default_rng(5)
    attraction, past = rng.beta(1, 6, (150, 10)), np.full((150, 10), 0.1)
    showings = []
    for week in range(6):
        order = np.argsort(-past + 0.01 * rng.random(past.shape), axis=1)
        for visit in range(8):
            for query in range(150):
                shuffled = order[query] if visit else rng.permutation(10)
                clicks = rng.random(10) < TRUE * attraction[query, shuffled]
                past[query, shuffled] += clicks / TRUE
                showings += [
                    Showing(f"q{query}", f"i{query}-{i}", place + 1, bool(clicks[place]), False, week)
                    for place, i in enumerate(shuffled)
                ]
    by_week, mixed = harvested(columns(showings)), harvested(columns([s._replace(week=0) for s in showings]))
    assert np.abs(by_week - TRUE).mean() < 0.06
    assert np.abs(mixed - TRUE).mean() > 1.5 * np.abs(by_week - TRUE).mean()


def test_nothing_shown_is_one_place():
    assert examination(read_shown([])).tolist() == [1.0]
    assert click_statistics([], np.ones(1)).rates("q", ["a"]).clicks.tolist() == [0.0]
    assert click_statistics(page("r", "a"), np.ones(1)).rates("q", []).table.shape == (0, 6)


@pytest.mark.parametrize("seed", range(3))
def test_rates_come_nearer_the_truth_than_raw_ones_and_than_weighted_clicks(seed):
    _, attraction, (asked, rows, clicks) = simulate(seed, sessions=4000, rankers=2)
    seen, raw, looks, weighted = (np.zeros(attraction.shape) for _ in range(4))
    at = (np.repeat(asked, PLACES), rows.ravel())
    hit = clicks.ravel().astype(float)
    place = np.tile(np.arange(PLACES), len(asked))
    np.add.at(seen, at, 1)
    np.add.at(raw, at, hit)
    np.add.at(looks, at, TRUE[place])
    np.add.at(weighted, at, hit / TRUE[place])
    kept = seen > 20
    error = {
        "raw": np.abs(raw[kept] / seen[kept] - attraction[kept]).mean(),
        "weighted clicks": np.abs(weighted[kept] / seen[kept] - attraction[kept]).mean(),
        "looks": np.abs(raw[kept] / looks[kept] - attraction[kept]).mean(),
    }
    assert error["looks"] < error["weighted clicks"] < error["raw"], error


def test_the_clicked_one_is_first_whatever_its_place():
    events = [
        event
        for n in range(40)
        for event in page(
            f"r{n}",
            ["top", *"bcdefgh", "low"],
            ["low"] if n % 4 == 0 else ["top"] if n % 4 == 1 else (),
            session=f"s{n}",
        )
    ]
    rates = click_statistics(events, np.arange(1, 10) ** -0.6).rates("red shoes", ["top", "low", "never"])
    assert rates.clicks[1] > 2 * rates.clicks[0], "the same clicks on place 9 as on place 1"
    assert rates.evidence[0] > rates.evidence[1] > rates.evidence[2] == 0
    assert 0 < rates.clicks[2] < rates.clicks[0]


events_of_pages = st.lists(
    st.builds(
        lambda n, items, clicked, session, query: (n, items, [i for i in clicked if i in items], session, query),
        st.integers(0, 9), st.permutations("abc"), st.sets(st.sampled_from("abc")),
        st.sampled_from(["s", "t", ""]), st.sampled_from(["鞋", "shoe"]),
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(events_of_pages, st.integers(0, 30))
def test_folding_in_two_parts_is_folding_at_once(pages, cut):
    events = [
        event
        for n, *rest in pages
        for event in page(f"r{n}{rest[2]}", rest[0], rest[1], session=rest[2], query=rest[3])
    ]
    whole, parts = ClickTable(TRUE), ClickTable(TRUE)
    whole.fold(events)
    parts.fold(events[:cut])
    parts.fold(events[cut:])
    for query in ("鞋", "shoe"):
        table = whole.rates(query, "abcx").table
        assert np.allclose(table, parts.rates(query, "abcx").table, atol=1e-6)
        assert ((table >= 0) & (table <= 1)).all()
    assert isinstance(columns([]), Shown)
