"""Recommendation on a shop with a known answer: garden people want garden things."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from toyshop import toy_events, toy_items

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import Availability, Event, EventKind, Filters, Item, Request
from shopkeeper.retrieval.histories import read
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import RecommendSettings
from shopkeeper.store.database import open_store
from shopkeeper.store.sessions import MemorySessions
from shopkeeper.tasks.recommend.behaviour import Parameters, fit
from shopkeeper.tasks.recommend.task import RecommendTask

NOW = datetime(2026, 3, 5, tzinfo=UTC)


class Shop:
    """The toy shop with its store, sessions and task, as the real composition wires them."""

    def __init__(self, path, settings=None):
        self.store = open_store(f"sqlite:///{path / 'shop.db'}")
        self.store.catalogue.put(toy_items())
        self.store.events.append(toy_events())
        self.sessions = MemorySessions(self.store.events)
        self.shelf = Shelf(self.store.catalogue.scan())
        histories, _ = read(self.store.events.frame(), self.shelf)
        rng = np.random.default_rng(0)
        taste = {"garden": rng.normal(size=16), "kitchen": rng.normal(size=16)}
        vectors = np.stack([taste[item.id.split("-")[0]] + 0.5 * rng.normal(size=16) for item in self.shelf.items])
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        self.vectors = vectors
        behaviour = fit(histories, self.shelf, vectors, Parameters(), NOW.timestamp())
        self.task = RecommendTask(
            self.shelf, behaviour, settings or RecommendSettings(), recent=self.sessions.recent, bought=self.bought
        )

    def bought(self, customer):
        return {e.item for e in self.store.events.of_customer(customer) if e.kind is EventKind.PURCHASE}

    def post(self, item, kind=EventKind.VIEW, *, customer="", session="fresh", minute=0):
        event = Event(
            id=f"{customer}{session}{item}{kind}{minute}",
            time=NOW + timedelta(minutes=minute),
            kind=kind,
            customer=customer,
            session=session,
            item=item,
        )
        self.store.events.append([event])
        self.sessions.fold([event])


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path)
    yield made
    made.store.close()


def ids(answer):
    return [hit.item for hit in answer.hits]


def departments(answer):
    return {item.split("-")[0] for item in ids(answer)}


def test_customers_get_their_own_taste(shop):
    for number, taste in ((0, "garden"), (1, "kitchen"), (2, "garden")):
        answer = shop.task.answer(Request(customer=f"c{number:02d}", limit=5))
        assert departments(answer) == {taste}
        assert all(hit.propensity == 1.0 for hit in answer.hits)


def test_sold_out_hidden_and_bought_are_never_shown(shop):
    for request in (
        Request(customer="c00", limit=100),
        Request(session="nobody", limit=100),
        Request(items=("garden-04",), limit=100),
        Request(customer="c01", limit=100, filters=Filters(sellable=False)),
    ):
        for answer in (shop.task.answer(request), shop.task.similar(request) if request.items else None):
            if answer is not None:
                found = set(ids(answer))
                assert not found & {"garden-18", "kitchen-18", "garden-19", "kitchen-19"}
                assert not found & set(shop.bought(request.customer or "nobody"))
                assert len(found) == len(answer.hits) == answer.total


def test_bought_items_may_come_back_where_the_shop_says_so(tmp_path):
    shop = Shop(tmp_path, RecommendSettings(repeat_purchases=True))
    assert set(ids(shop.task.answer(Request(customer="c00", limit=100)))) & shop.bought("c00")
    shop.store.close()


def test_the_next_request_reflects_the_event_just_posted(shop):
    before = shop.task.answer(Request(session="fresh", limit=4))
    shop.post("kitchen-02")
    after = shop.task.answer(Request(session="fresh", limit=4))
    assert departments(after) == {"kitchen"}
    assert ids(before) != ids(after)
    shop.post("garden-04", EventKind.PURCHASE, minute=1)
    shop.post("garden-05", EventKind.CART, minute=2)
    assert ids(shop.task.answer(Request(session="fresh", limit=1)))[0].startswith("garden")


def test_dismissed_items_go_away_at_once(shop):
    shop.post("garden-03")
    first = ids(shop.task.answer(Request(session="fresh", limit=1)))[0]
    shop.post(first, EventKind.DISMISS, minute=1)
    assert first not in ids(shop.task.answer(Request(session="fresh", limit=100)))


def test_the_basket_decides_for_somebody_unknown(shop):
    answer = shop.task.answer(Request(items=("garden-04",), limit=3))
    assert ids(answer)[0] == "garden-06"
    assert "garden-04" not in ids(answer)


def test_similar_items(shop):
    answer = shop.task.similar(Request(items=("kitchen-04",), limit=3))
    assert ids(answer)[0] == "kitchen-06"
    assert departments(answer) == {"kitchen"}


def test_similar_wants_a_known_item(shop):
    with pytest.raises(InputError, match="Name one item id"):
        shop.task.similar(Request())
    with pytest.raises(NotFoundError, match="no-such"):
        shop.task.similar(Request(items=("no-such",)))


def test_unknown_items_in_the_basket_and_the_log_do_no_harm(shop):
    shop.post("no-such")
    assert shop.task.answer(Request(session="fresh", items=("no-such",), limit=3)).hits


def test_new_items_are_found_by_their_words_at_once(shop):
    item = Item(id="kitchen-new", title="Cast iron frying pan, large", category=("Kitchen", "Tools"), language="en")
    shop.shelf.put(item)
    shop.task.put([item])
    assert "kitchen-new" in ids(shop.task.similar(Request(items=("kitchen-00",), limit=18)))
    assert ids(shop.task.similar(Request(items=("kitchen-new",), limit=3)))[0] == "kitchen-00"
    shop.task.put([item], shop.vectors[[shop.shelf.row("kitchen-00")]])
    assert "kitchen-new" in ids(shop.task.similar(Request(items=("kitchen-00",), limit=5)))


def test_items_that_sell_out_or_leave_disappear_at_once(shop):
    first, second = ids(shop.task.answer(Request(customer="c00", limit=2)))
    item = shop.shelf.items[shop.shelf.row(first)]
    gone = Item(id=item.id, title=item.title, availability=Availability.OUT_OF_STOCK)
    shop.shelf.put(gone)
    shop.shelf.remove(second)
    assert not {first, second} & set(ids(shop.task.answer(Request(customer="c00", limit=100))))


def test_filters_hold(shop):
    answer = shop.task.answer(Request(customer="c00", filters=Filters(price_max=20.0), limit=100))
    assert answer.hits
    assert all(shop.shelf.item(shop.shelf.row(hit.item)).price <= 20 for hit in answer.hits)


def test_pages_fit_together(shop):
    for request in (Request(customer="c00", limit=30), Request(session="nobody", limit=30)):
        whole = ids(shop.task.answer(request))
        pages = [
            ids(shop.task.answer(Request(customer=request.customer, session=request.session, limit=10, offset=start)))
            for start in (0, 10, 20)
        ]
        assert [item for page in pages for item in page] == whole
        assert len(set(whole)) == len(whole)
    assert shop.task.answer(Request(customer="c00", offset=1000)).hits == ()


def test_reasons_name_evidence_and_contributions_add_up(shop):
    shop.post("garden-04", EventKind.CART)
    shop.post("garden-02", minute=1)
    answer = shop.task.answer(Request(session="fresh", limit=8, explain=True))
    for hit in answer.hits:
        assert sum(hit.contributions.values()) == pytest.approx(hit.score, rel=1e-3, abs=1e-5)
        assert hit.reasons
        for reason in hit.reasons:
            assert set(reason.text) == {"en", "zh"}
            assert reason.kind in ("popular", "new") or reason.evidence[0] in ("garden-04", "garden-02")
    plain = shop.task.answer(Request(session="fresh", limit=8))
    assert [(hit.item, hit.score) for hit in plain.hits] == [(hit.item, hit.score) for hit in answer.hits]
    assert not any(hit.reasons or hit.contributions for hit in plain.hits)


def test_taking_the_evidence_away_lowers_the_score(shop):
    shop.post("garden-04", EventKind.CART)
    shop.post("garden-02", minute=1)
    request = Request(session="fresh", limit=8, explain=True)
    for hit in shop.task.answer(request).hits:
        for reason in hit.reasons:
            if reason.evidence:
                assert shop.task.without(request, reason.evidence[0], [hit.item])[0] < hit.score
        assert shop.task.without(request, "kitchen-00", [hit.item])[0] == pytest.approx(hit.score)


def test_words_in_reasons_are_written_as_in_the_item(shop):
    shop.task.behaviour.parameters = Parameters(
        blend=type(Parameters().blend)({"words": Parameters().blend.parts["words"]})
    )
    hit = shop.task.similar(Request(items=("garden-00",), limit=1, explain=True)).hits[0]
    assert hit.reasons[0].kind == "words"
    assert hit.reasons[0].evidence[0] == "garden-00"
    text = shop.shelf.item(shop.shelf.row(hit.item)).text.casefold()
    assert all(word in text for word in hit.reasons[0].evidence[1:])


def test_the_unknown_get_popular_and_untried_items_with_the_propensities_they_had(shop):
    counts: dict[str, int] = {}
    logged: dict[str, float] = {}
    rounds = 600
    for number in range(rounds):
        answer = shop.task.answer(Request(session=f"s{number}", limit=5, time=NOW))
        fifth = answer.hits[4]
        counts[fifth.item] = counts.get(fifth.item, 0) + 1
        logged[fifth.item] = fifth.propensity
        assert [hit.propensity for hit in answer.hits[:4]] == [1.0] * 4
    assert len(counts) > 1
    assert sum(logged.values()) == pytest.approx(1.0)
    for item, count in counts.items():
        assert count / rounds == pytest.approx(logged[item], abs=4 * np.sqrt(logged[item] / rounds))


def test_the_unknown_are_spoken_to_in_their_language(shop):
    answer = shop.task.answer(Request(session="x", language="zh", limit=4, explain=True))
    assert all(shop.shelf.item(shop.shelf.row(hit.item)).language == "zh" for hit in answer.hits)
    assert {hit.reasons[0].kind for hit in answer.hits} <= {"popular", "new", "explore"}


def test_an_empty_shop_answers_with_nothing():
    shelf = Shelf()
    nobody, nothing = read_nothing(shelf)
    task = RecommendTask(shelf, fit(nobody, shelf, None, Parameters(), 0.0), RecommendSettings(),
                         recent=lambda *_: [], bought=lambda _: [])  # fmt: skip
    assert task.answer(Request(customer="c")).hits == ()
    assert nothing == []


def read_nothing(shelf):
    columns = {"time": pl.Datetime("us", "UTC"), "kind": pl.String, "customer": pl.String, "session": pl.String,
               "item": pl.String}  # fmt: skip
    return read(pl.DataFrame(schema=columns), shelf)


def test_renaming_the_items_changes_no_ranking(tmp_path):
    """Ids and catalogue order carry nothing: a shop whose ids run backwards recommends the same things."""

    def build(rename):
        shelf = Shelf(sorted((replace(item, id=rename(item.id)) for item in toy_items()), key=lambda item: item.id))
        store = open_store(f"sqlite:///{tmp_path / rename('ab')}.db")
        store.events.append([replace(event, item=rename(event.item) if event.item else "") for event in toy_events()])
        histories, _ = read(store.events.frame(), shelf)
        behaviour = fit(histories, shelf, None, Parameters(), NOW.timestamp())
        task = RecommendTask(shelf, behaviour, RecommendSettings(), recent=MemorySessions(store.events).recent,
                             bought=lambda _: [])  # fmt: skip
        answer = task.answer(Request(customer="c00", limit=20))
        store.close()
        return {hit.item: hit.score for hit in answer.hits}

    plain = build(lambda name: name)
    turned = build(lambda name: name[::-1])
    assert {name[::-1]: score for name, score in turned.items()} == pytest.approx(plain, abs=1e-5)
