"""From what is typed to what is shown, in Chinese and English alike, on a shop small enough to know every answer."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hash_encoder import HashEncoder
from toyshop import START, toy_footwear, toy_items

from shopkeeper.ranking.features import NAMES
from shopkeeper.ranking.ranker import SURE, Confidence, Linear, Ranker
from shopkeeper.ranking.rules import Rulebook
from shopkeeper.records import Event, EventKind, Filters, Item, Request
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.hybrid import HybridIndex
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.understanding.language import Language
from shopkeeper.retrieval.understanding.synonyms import Synonyms
from shopkeeper.store.merchandising import Pin, Rule, Then, When
from shopkeeper.tasks.search.finding import Finder
from shopkeeper.tasks.search.task import SearchTask

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SAME = Synonyms({"trainers": {"running shoes": 0.8}, "球鞋": {"跑鞋": 0.8}})


def open_task(items, *, synonyms=SAME, recent=None, **finder) -> SearchTask:
    shelf = Shelf(items)
    index = HybridIndex(HashEncoder())
    index.upsert(np.arange(len(shelf)), items)
    language = Language(items, synonyms, index.lexical.support)
    more = {} if recent is None else {"recent": lambda _customer, _session, _limit: recent}
    return SearchTask(shelf, Finder(shelf, index, **finder), language, **more)


@pytest.fixture(scope="module")
def task() -> SearchTask:
    made = open_task([*toy_items(), *toy_footwear()])
    stars = [
        5.0 if item.id.startswith("boot") else 3.0 if item.id.startswith("run") else np.nan for item in shelved(made)
    ]
    made.facets.ratings = np.array(stars, dtype=np.float32)
    return made


def shelved(task: SearchTask) -> list[Item]:
    return [item for item in task.shelf.items if item is not None]


def ids(answer) -> list[str]:
    return [hit.item for hit in answer.hits]


def found(task: SearchTask, query: str, **asked) -> list[Item]:
    asked.setdefault("limit", 100)
    return [task.shelf.item(task.shelf.row(item)) for item in ids(task.answer(Request(query=query, **asked)))]


def keys(answer) -> set[str]:
    return {chip.key for chip in answer.read.chips}


@pytest.mark.parametrize(("query", "low", "high"), [("boots under $40", 0, 40), ("短靴 60元以上", 60, 1e9)])
def test_a_price_is_read_and_holds_until_its_chip_is_taken_away(task, query, low, high):
    items = found(task, query)
    assert items
    assert all(low <= item.price <= high for item in items)
    assert "price" in keys(task.answer(Request(query=query)))
    free = task.answer(Request(query=query, ignore=("price",), limit=100))
    assert "price" not in keys(free)
    assert any(not low <= task.shelf.item(task.shelf.row(item)).price <= high for item in ids(free))


def test_the_narrower_of_two_prices_holds_and_facets_tell_what_others_would_bring(task):
    answer = task.answer(Request(query="boots under 60", filters=Filters(price_max=35.0), limit=100))
    assert {item.id for item in found(task, "boots under 60", filters=Filters(price_max=35.0))} == set(ids(answer))
    assert all(task.shelf.item(task.shelf.row(item)).price <= 35 for item in ids(answer))
    assert sum(answer.facets["price"].values()) > answer.total
    assert sum(answer.facets["brand"].values()) == answer.total


@pytest.mark.parametrize(
    ("query", "with_it", "without"),
    [
        ("boots not leather", {"boot-00", "boot-02", "boot-06"}, {"boot-01", "boot-03"}),
        ("boots without leather", {"boot-00", "boot-02", "boot-06"}, {"boot-01", "boot-03"}),
        ("短靴 不要真皮", {"boot-04"}, {"boot-05"}),
    ],
)
def test_what_is_not_wanted_is_left_out_but_not_what_says_that_it_lacks_it(task, query, with_it, without):
    items = {item.id for item in found(task, query)}
    assert not items & with_it
    assert without <= items
    answer = task.answer(Request(query=query, limit=100))
    (chip,) = [chip for chip in answer.read.chips if chip.kind == "exclude"]
    assert with_it & {item.id for item in found(task, query, ignore=(chip.key,))}
    assert sum(answer.facets["brand"].values()) == answer.total
    chosen = task.answer(Request(query=query, filters=Filters(brands=("Cobbler", "鞋匠")), limit=100))
    assert not set(ids(chosen)) & with_it
    assert (
        sum(chosen.facets["brand"][brand] for brand in ("Cobbler", "鞋匠") if brand in chosen.facets["brand"])
        == chosen.total
    )


def test_what_is_not_wanted_holds_where_nothing_else_is_said(task):
    everything = found(task, "")
    answer = task.answer(Request(query="不要真皮", limit=100))
    assert answer.read.words == ""
    assert {item.id for item in everything} - set(ids(answer)) == {"boot-04"}
    assert answer.total == len(everything) - 1
    assert sum(answer.facets["brand"].values()) == answer.total


def test_more_unwanted_items_than_are_judged_leave_the_wanted_ones():
    """Hundreds of better hits have what is not wanted; the few others stand behind them and must come forward."""
    items = [Item(id=f"l{n}", title="Boots boots", description="leather") for n in range(700)]
    items += [Item(id=f"c{n}", title="Cheap winter boots of cork and wool") for n in range(5)]
    assert {item.id for item in found(open_task(items), "boots not leather")} == {f"c{n}" for n in range(5)}


def test_stars_are_read_and_an_attribute_called_rating_is_none(task):
    assert {item.id[:4] for item in found(task, "shoes 4 stars and up")} == {"boot"}
    assert {item.id[:4] for item in found(task, "鞋 四星以上")} <= {"boot"}
    assert found(task, "all weather boots")  # a value of the attribute "rating", and no number
    answer = task.answer(Request(query="shoes 4 stars and up"))
    assert sum(answer.facets["brand"].values()) == answer.total


@pytest.mark.parametrize("query", ["cheapest running shoes", "最便宜的跑鞋"])
def test_the_cheapest_come_first_unless_another_order_is_chosen(task, query):
    prices = [item.price for item in found(task, query)]
    assert prices == sorted(prices)
    dearest = [item.price for item in found(task, query, sort="price_desc")]
    assert dearest == sorted(dearest, reverse=True)
    answer = task.answer(Request(query=query, sort="price_desc", limit=100))
    assert sum(answer.facets["brand"].values()) == answer.total


def test_a_slip_is_mended_where_the_words_find_nothing_and_kept_where_told_so(task):
    answer = task.answer(Request(query="runing sheos"))
    assert "spelling" in keys(answer)
    assert answer.read.words == "running shoes"
    assert all(item.startswith("run") for item in ids(answer)[:2])
    kept = task.answer(Request(query="runing sheos", ignore=("spelling",)))
    assert kept.read.words == "runing sheos"
    assert "spelling" not in keys(kept)


def test_pinyin_and_wrong_characters_of_the_right_sound_find_the_words(task):
    items = [*toy_items(), *[replace(item, id=f"more-{n}-{item.id}") for n in range(2) for item in toy_footwear()]]
    plenty = open_task(items)
    first = plenty.shelf.item(plenty.shelf.row(ids(plenty.answer(Request(query="paoxie")))[0]))
    assert first.title.startswith("跑鞋")
    assert "pinyin" in keys(plenty.answer(Request(query="paoxie")))
    assert "pinyin" not in keys(plenty.answer(Request(query="paoxie", ignore=("pinyin",))))


@pytest.mark.parametrize(("query", "first"), [("trainers", "run-"), ("球鞋", "run-2")])
def test_synonyms_are_searched_beside_what_was_typed(task, query, first):
    answer = task.answer(Request(query=query))
    assert ids(answer)[0].startswith(first)
    assert "synonym" in keys(answer)
    assert not task.answer(Request(query=query, ignore=("synonym",))).read.variants


def test_other_wordings_without_any_candidate_are_no_error(task):
    answer = task.answer(Request(query="trainers", filters=Filters(brands=("nobody",))))
    assert (answer.hits, answer.total, answer.found) == ((), 0, False)


def test_variants_fold_into_one_hit_which_knows_the_others_and_counts_once(task):
    answer = task.answer(Request(query="running shoes", limit=100))
    of_models = [item[:5] for item in ids(answer) if item.startswith("run")]
    assert len(of_models) == len(set(of_models))
    best = next(item for item in ids(answer) if item.startswith("run-0"))
    assert {best, *answer.variants[best]} == {f"run-0-{colour}" for colour in ("red", "green", "blue", "black")}
    assert answer.facets["brand"]["Fleet"] == 2
    red = task.answer(Request(query="running shoes", filters=Filters(attributes={"colour": ("red",)}), limit=100))
    assert {item for item in ids(red) if item.startswith("run")} >= {"run-0-red", "run-1-red"}
    assert red.facets["colour"]["blue"] >= 2  # what choosing blue as well would bring
    browsed = task.answer(Request(limit=200))
    assert browsed.total == len(browsed.hits) == 36 + 8 + 3


def test_nothing_found_tells_what_to_give_up_and_what_that_brings(task):
    asked = Request(query="riding boots under $4")
    answer = task.answer(asked)
    assert (answer.total, answer.found) == (0, False)
    price = next(way for way in answer.relaxations if way.kind == "price")
    assert price.count > 0
    assert "boot-02" in ids(task.answer(price.request))
    assert set(price.text) == {"en", "zh"}
    chosen = task.answer(Request(query="riding boots", filters=Filters(brands=("Fleet",), price_max=4.0)))
    assert [way.kind for way in chosen.relaxations] == ["all"]


def test_ways_to_find_more_keep_to_the_rules(task):
    hide = Then(hide=("boot-02",))
    rules = Rulebook([Rule(id="r", name="r", when=When(contains=("riding",)), then=hide)], terms)
    answer = task.answer(Request(query="riding boots under $4"), rules=rules)
    plain = task.answer(Request(query="riding boots under $4"))
    count = {way.kind: way.count for way in plain.relaxations}
    assert {way.kind: way.count for way in answer.relaxations}.get("price", 0) == count["price"] - 1


def test_pins_keep_to_what_the_customer_does_not_want(task):
    then = Then(pins=(Pin(item="boot-00", position=1), Pin(item="boot-03", position=1)))
    rules = Rulebook([Rule(id="r", name="r", when=When(contains=("boots",)), then=then)], terms)
    answer = task.answer(Request(query="boots not leather", limit=100), rules=rules)
    assert ids(answer)[0] == "boot-03"
    assert "boot-00" not in ids(answer)


def test_a_confidence_leaves_out_what_is_no_answer_and_says_when_nothing_is():
    weights = np.zeros(len(SURE), dtype=np.float32)
    weights[SURE.index("coverage")] = 10.0
    sure = Confidence(Linear(np.full(len(SURE), 0.5, dtype=np.float32), weights), candidate=0.5, answer=0.5)
    task = open_task([*toy_items(), *toy_footwear()], confidence=sure)
    held = task.answer(Request(query="frying pan", limit=100))
    assert held.found
    assert all("pan" in terms(task.shelf.item(task.shelf.row(item)).text) for item in ids(held))
    lost = task.answer(Request(query="quantum xylophone"))
    assert (lost.found, lost.total) == (False, 0)
    partly = task.answer(Request(query="rake kettle wok spatula slippers"))
    assert partly.total > 0
    assert not partly.found


def test_a_ranker_has_the_say_over_the_order():
    dearest = np.zeros(len(NAMES), dtype=np.float32)
    dearest[NAMES.index("price_place")] = 1.0
    ranker = Ranker(Linear(np.zeros(len(NAMES), dtype=np.float32), dearest))
    task = open_task(toy_items(), ranker=ranker)
    prices = [item.price for item in found(task, "garden tools")]
    assert len(prices) > 5
    assert prices == sorted(prices, reverse=True)
    hit = task.answer(Request(query="garden tools", explain=True)).hits[0]
    assert hit.score == pytest.approx(sum(hit.contributions.values()), abs=1e-5)


def test_taste_moves_what_fits_from_anywhere_in_the_list_and_can_be_switched_off():
    items = [Item(id=f"pot{n:03d}", title="Garden pot", brand="Others", price=float(n)) for n in range(150)]
    items.append(
        Item(id="mine", title="Garden pot pot pot plain unglazed pot for many a plant", brand="Mine", price=1.0)
    )
    items.append(Item(id="liked", title="Bird bath", brand="Mine", price=2.0))
    past = [Event(id="v", time=START, kind=EventKind.PURCHASE, customer="c", item="liked")]
    plain = ids(open_task(items, recent=past).answer(Request(query="garden pot", customer="c", limit=200)))
    assert plain.index("mine") > 24 or plain.index("mine") == 0
    task = open_task(items, recent=past, personal=5.0)
    assert "mine" in ids(task.answer(Request(query="garden pot", customer="c")))[:2]
    assert ids(task.answer(Request(query="garden pot", limit=200))) == plain  # nobody's taste is known
    answer = task.answer(Request(query="garden pot", customer="c", explain=True))
    hit = next(hit for hit in answer.hits if hit.item == "mine")
    assert hit.contributions["taste"] > 0
    assert "taste" in {reason.kind for reason in hit.reasons}
    cheap = [item.price for item in found(task, "garden pot", customer="c", sort="price_asc")]
    assert cheap == sorted(cheap)


def test_what_a_customer_looked_at_before_is_a_candidate_however_many_others_there_are():
    items = [Item(id=f"pot{n}", title="Garden pot") for n in range(1_300)]
    items.append(
        Item(id="mine", title="Huge unglazed frost-proof terracotta pot with a saucer and a handle to carry it")
    )
    seen = [Event(id="v", time=START, kind=EventKind.VIEW, customer="c", item="mine")]
    asked = Request(query="garden pot", customer="c", limit=2_000)
    assert "mine" not in ids(open_task(items).answer(asked))
    assert "mine" in ids(open_task(items, recent=seen).answer(asked))
    mostly = replace(asked, filters=Filters(exclude=("mine",)))
    assert "mine" not in ids(open_task(items, recent=seen).answer(mostly))


def test_pages_by_cursor_do_not_mix_two_shops(task):
    first = task.answer(Request(query="garden", limit=3))
    second = task.answer(Request(query="garden", limit=3), first.cursor)
    assert ids(second) == [item.id for item in found(task, "garden")][3:6]


def test_a_long_ranking_is_not_kept():
    items = [Item(id=str(n), title="Nail", group=f"g{n // 2}") for n in range(12_000)]
    shelf = Shelf(items)
    task = SearchTask(shelf, Finder(shelf, HybridIndex(HashEncoder())), Language())
    for offset in (0, 24, 48):
        answer = task.answer(Request(offset=offset, limit=24))
        assert (len(answer.hits), answer.total) == (24, 6_000)
    assert not len(task._kept)
