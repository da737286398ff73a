"""What people search for, how it ends, and what might help."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from toyshop import START, toy_events, toy_items, toy_store

from shopkeeper.evaluation.search_log import read_searches, report, searches
from shopkeeper.evaluation.search_repairs import misspelt, other_words
from shopkeeper.records import Event, EventKind, Impression, Item

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SHELF = [
    Item(id="i1", title="Grey sofa cover", category=("Living Room", "Sofas")),
    Item(id="i2", title="Wireless headphones", category=("Audio",)),
    Item(id="i3", title="蓝牙耳机", category=("数码",)),
    Item(id="i4", title="红色跑鞋", category=("鞋靴",)),
]
ITEMS = ("i1", "i2", "i3", "i4", "i5", "i6")


class Log:
    """Sessions put down one after another."""

    def __init__(self):
        self.events = []

    def search(self, session, query, clicked=(), *, shown=ITEMS, minute=0, bought=(), asked=True):
        request = f"{session}-{query}-{minute}"
        facts = {"time": NOON + timedelta(minutes=minute), "session": session, "request": request}
        if asked:
            self.events.append(Event(id=f"{request}-q", kind=EventKind.SEARCH, query=query, **facts))
        if shown:
            impression = Impression(
                items=tuple(shown), positions=tuple(range(1, len(shown) + 1)), propensities=(1.0,) * len(shown)
            )
            self.events.append(
                Event(id=f"{request}-i", kind=EventKind.IMPRESSION, query=query, impression=impression, **facts)
            )
        for kind, items in ((EventKind.CLICK, clicked), (EventKind.PURCHASE, bought)):
            self.events += [Event(id=f"{request}-{kind}-{item}", kind=kind, item=item, **facts) for item in items]

    def report(self, **options):
        return report(searches(self.events), NOON, NOON + timedelta(days=1), SHELF, **options)


def test_a_search_is_counted_once_a_session_however_it_is_typed_and_paged():
    log = Log()
    log.search("a", "Red shoes", ["i1"])
    log.search("a", "red  SHOES", ["i1", "i2"], minute=3)
    log.search("a", "red shoes", asked=False, shown=("i9",), minute=4)
    log.search("b", "Red shoes", bought=["i1"])
    [row] = log.report().top
    assert (row.query, row.searches, row.clicks, row.clicked, row.ordered) == ("Red shoes", 2, 3, 1.0, 0.5)
    assert log.report().searches == 2


def test_what_shows_nothing_is_unanswered_unless_nothing_is_ever_logged_as_shown():
    log = Log()
    log.search("a", "火星车", shown=())
    log.search("b", "火星车", shown=())
    assert log.report().unanswered == ()
    log.search("c", "sofa", ["i1"])
    found = log.report()
    assert [(row.query, row.searches, row.empty) for row in found.unanswered] == [("火星车", 2, 1.0)]
    assert found.empty == pytest.approx(2 / 3)


def test_a_query_disappoints_against_its_places_not_against_others_clicks():
    log = Log()
    rng = np.random.default_rng(0)
    for n in range(60):
        log.search(f"a{n}", "headphones", ["i1"] if rng.random() < 0.6 else [])
        log.search(f"b{n}", "lamp", ["i1"] if n < 3 else [])
        log.search(f"c{n}", "seldom", shown=()) if n < 1 else None
    for n in range(3):  # few searches prove nothing
        log.search(f"d{n}", "rare thing")
    [row] = log.report().disappointing
    assert (row.query, row.clicks) == ("lamp", 3)
    assert row.expected == pytest.approx(60 * (log.report().top[0].clicks + 3) / 123)


@pytest.mark.parametrize(
    ("before", "after", "kind", "words", "instead"),
    [
        ("wireles headphones", "wireless headphones", "spelling", "wireles headphones", "wireless headphones"),
        ("蓝牙耳基", "蓝牙耳机", "spelling", "蓝牙耳基", "蓝牙耳机"),
        ("couch cover", "sofa cover", "synonym", "couch", "sofa"),
        ("红色运动鞋", "红色跑鞋", "synonym", "运动鞋", "跑鞋"),
    ],
)
def test_what_people_typed_next_suggests_the_repair(before, after, kind, words, instead):
    log = Log()
    for n in range(4):
        log.search(f"s{n}", before, shown=())
        log.search(f"s{n}", after, ["i1"] if n < 3 else [], minute=1)
    found = log.report()
    [row] = found.unanswered
    assert (row.repair.kind, row.repair.words, row.repair.instead, row.repair.sessions) == (kind, words, instead, 3)
    assert set(row.repair.text) == {"en", "zh"}
    assert all(words in text and instead in text and "3" in text for text in row.repair.text.values())
    assert [(r.before, r.after, r.sessions, r.clicked) for r in found.refinements] == [(before, after, 4, 0.75)]


@pytest.mark.parametrize(
    ("query", "lacking"), [("yoga mat", "yoga mat"), ("grey yoga mat", "yoga mat"), ("红色瑜伽垫", "瑜伽垫")]
)
def test_what_no_word_finds_is_missing_from_the_shop(query, lacking):
    log = Log()
    for n in range(3):
        log.search(f"s{n}", query, shown=())
        log.search(f"s{n}", "sofa", ["i1"], minute=60)  # an hour later it is another wish
    [row] = log.report().unanswered
    assert (row.repair.kind, row.repair.words, row.repair.sessions) == ("category", lacking, 3)


def test_one_session_makes_no_synonym_and_a_narrower_query_is_none():
    log = Log()
    log.search("a", "couch", shown=())
    log.search("a", "sofa", ["i1"], minute=1)
    for n in range(5):
        log.search(f"n{n}", "cover", shown=())
        log.search(f"n{n}", "grey cover", ["i1"], minute=1)
    repairs = {row.query: row.repair for row in log.report().unanswered}
    assert repairs["couch"].kind == "category"
    assert repairs["cover"] is None


@pytest.mark.parametrize(
    ("before", "after"),
    [("shoe", "shoes"), ("pan", "pot"), ("耳机", "耳麦"), ("red shoe", "red shoe rack"), ("", "x"), ("a\x00b", "*:(")],
)
def test_other_wishes_are_no_slips(before, after):
    assert not misspelt(before, after)


def test_words_alike_but_for_their_ending_are_no_synonyms():
    assert other_words("running shoe", "running shoes") is None
    assert other_words("", "") is None


def test_a_program_does_not_count():
    log = Log()
    for n in range(250):
        log.search("robot", f"thing {n}")
    log.search("human", "sofa", ["i1"])
    assert log.report().queries == 1


def test_the_toy_shop_has_no_failing_query(tmp_path):
    store = toy_store(tmp_path)
    end = START + timedelta(days=90)
    found = report(read_searches(store.events, START, end), START, end, toy_items())
    store.close()
    asked = {event.query for event in toy_events() if event.kind is EventKind.SEARCH}
    assert {row.query for row in found.top} == asked
    assert found.searches == 180
    assert (found.clicked, found.empty, found.unanswered, found.disappointing) == (1.0, 0.0, (), ())


def test_nothing_searched_is_an_empty_report():
    found = report(searches([]), NOON, NOON, [])
    assert (found.searches, found.top) == (0, ())
