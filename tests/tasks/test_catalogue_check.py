from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hash_encoder import HashEncoder
from toyshop import toy_store

from shopkeeper.errors import InputError
from shopkeeper.records import Item
from shopkeeper.tasks.guard.catalogue_check import FINE, TASK, check, open_doubts, propose
from shopkeeper.tasks.guard.catalogue_likeness import bare, likeness

NOUNS = {
    ("Garden", "Tools"): "rake spade hoe",
    ("Garden", "Pots"): "planter flowerpot trough",
    ("Kitchen", "Pans"): "skillet saucepan wok",
    ("厨房", "刀具"): "菜刀 水果刀 剪刀",
}
PRICES = {"rake": 20, "spade": 25, "hoe": 18, "planter": 12, "flowerpot": 8, "trough": 15, "skillet": 40}
ADJECTIVES = ("steel", "long", "light", "strong", "small", "large", "green", "classic")


def catalogue(seed=0):
    rng = np.random.default_rng(seed)
    made = []
    for path, nouns in NOUNS.items():
        for noun in nouns.split():
            for number in range(8):
                adjective, other = rng.permutation(ADJECTIVES)[:2]
                made.append(
                    Item(
                        id=f"{rng.integers(1e9):09d}",
                        title=f"{adjective} {other} {noun}",
                        description=f"A {other} {noun} by the {path[1].lower()} makers, number {rng.integers(1e6)}.",
                        brand=("Oak", "Elm")[number % 2],
                        category=path,
                        price=round(float(PRICES.get(noun, 30) * np.exp(rng.normal(0, 0.15))), 2),
                        currency="CNY" if path[0] == "厨房" else "EUR",
                        created=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=int(rng.integers(100))),
                    )
                )
    return made


def checked(items):
    return check(items, HashEncoder().encode([bare(item) for item in items]))


def doubts_of(found, kind):
    return {doubt.item: doubt for doubt in found.doubts if doubt.kind == kind}


def changed(items, place, **fields):
    return [*items[:place], replace(items[place], **fields), *items[place + 1 :]]


def test_an_orderly_catalogue_raises_no_doubt_about_categories_and_prices():
    found = checked(catalogue())
    assert doubts_of(found, "category") == {}
    assert doubts_of(found, "price") == {}


def test_an_item_on_the_wrong_shelf_is_sent_to_the_right_one():
    items = changed(catalogue(), 2, category=("Kitchen", "Pans"))
    doubt = doubts_of(checked(items), "category")[items[2].id]
    assert doubt.proposal == "Garden > Tools"
    assert "Garden > Tools" in doubt.text["en"]
    assert "Garden > Tools" in doubt.text["zh"]


def test_a_shelf_of_few_items_is_not_judged():
    items = changed(catalogue(), 2, category=("Garden", "New"))
    assert items[2].id not in doubts_of(checked(items), "category")


def test_variants_of_one_product_do_not_vote_for_each_other():
    items = catalogue()
    for place in range(4):
        items = changed(items, place, category=("Kitchen", "Pans"), group="g")
    found = checked(items)
    assert np.all(found.votes.own[:4] < 0.5)


@pytest.mark.parametrize(
    ("factor", "kind"), [(10, "x10"), (0.1, "/10"), (100, "x100"), (0.01, "/100")], ids=["x10", "by10", "x100", "by100"]
)
def test_slipped_prices_are_named_and_mended(factor, kind):
    items = catalogue()
    right = items[3].price
    items = changed(items, 3, price=round(right * factor, 4))
    found = checked(items)
    assert found.pricing.kind[3] == kind
    doubt = doubts_of(found, "price")[items[3].id]
    assert float(doubt.proposal.split()[0]) == pytest.approx(right, rel=0.05)
    assert doubt.proposal.endswith("EUR")


def test_another_currency_is_seen():
    items = changed(catalogue(), 3, currency="USD")
    doubt = doubts_of(checked(items), "price")[items[3].id]
    assert doubt.proposal == f"{items[3].price:.2f} EUR"
    assert "currency" in doubt.text["en"]


def test_missing_and_senseless_prices_say_nothing():
    items = catalogue()
    for place, price in enumerate((None, 0.0, -3.0)):
        items = changed(items, place, price=price)
    found = checked(items)
    assert np.all(found.pricing.score[:3] == 0)


def test_a_stuffed_title_is_seen_and_shortened():
    items = catalogue()
    title = f"{items[0].title} wok planter saucepan wok flowerpot trough wok sale sale sale sale"
    items = changed(items, 0, title=title)
    found = checked(items)
    assert int(np.argmax(found.wording.score)) == 0
    doubt = doubts_of(found, "title")[items[0].id]
    assert "said again" in doubt.text["en"]
    shortened = doubt.proposal.split()
    assert len(set(shortened)) == len(shortened) < len(title.split()) / 2
    assert shortened[:2] == items[0].title.split()[:2]


def test_a_listing_in_other_words_is_a_double_of_the_earlier_one():
    items = catalogue()
    first = items[5]
    words = first.title.split()
    copy = replace(first, id="copy", title=" ".join([*words[1:], words[0]]), created=first.created + timedelta(days=9))
    doubt = next(doubt for doubt in checked([*items, copy]).doubts if doubt.item == "copy")
    assert doubt.kind == "double"
    assert doubt.other == first.id
    assert doubt.proposal == first.id


@pytest.mark.parametrize("fields", [{"group": "g"}, {"brand": "Ash"}, {"price": 90.0}, {"attributes": {"size": "L"}}])
def test_variants_and_other_products_are_no_doubles(fields):
    items = catalogue()
    items = changed(items, 5, group="g", attributes={"size": "S"})
    copy = replace(items[5], id="copy", **({"group": ""} | fields))
    both = [*items, copy]
    listed = {frozenset((both[newer].id, both[older].id)) for newer, older in checked(both).pairs.tolist()}
    assert frozenset(("copy", items[5].id)) not in listed


def test_the_order_of_the_catalogue_does_not_matter():
    items = changed(changed(catalogue(), 2, category=("Kitchen", "Pans")), 9, price=200.0)
    mixed = [items[place] for place in np.random.default_rng(3).permutation(len(items))]
    assert {(d.kind, d.item) for d in checked(items).doubts} == {(d.kind, d.item) for d in checked(mixed).doubts}


def test_neighbours_agree_with_brute_force_and_the_graph_finds_most_of_them():
    items = catalogue()
    vectors = HashEncoder().encode([bare(item) for item in items])
    exact, walked = likeness(items, vectors), likeness(items, vectors, exact_below=1)
    here = np.arange(len(items))[:, None]
    assert np.all(exact.rows != here)
    assert np.all(np.diff(exact.both, axis=1) <= 1e-6)
    shared = [len(set(a) & set(b)) / len(a) for a, b in zip(exact.rows.tolist(), walked.rows.tolist(), strict=True)]
    assert np.mean(shared) > 0.9


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_catalogues_of_hardly_anything(count):
    assert checked(catalogue()[:count]).doubts == []


def test_items_without_words_or_category():
    items = [*catalogue(), *(Item(id=f"bare-{n}", title="") for n in range(3))]
    assert np.isfinite(checked(items).wording.score).all()


def test_vectors_that_do_not_fit_are_refused():
    items = catalogue()
    with pytest.raises(InputError, match="vectors"):
        check(items, np.zeros((3, 8), dtype=np.float32))
    with pytest.raises(InputError, match="not finite"):
        check(items, np.full((len(items), 8), np.nan, dtype=np.float32))


def test_doubts_wait_for_a_human_once_an_item(tmp_path):
    items = changed(changed(catalogue(), 2, category=("Kitchen", "Pans")), 2, price=900.0)
    items = changed(items, 2, category=("Kitchen", "Pans"))
    found = checked(items)
    store = toy_store(tmp_path)
    try:
        propose(store.labels, items, found.doubts)
        waiting = {decision.subject: decision for decision in store.labels.pending(TASK)}
        assert items[2].id in waiting
        assert "Wrong category" in waiting[items[2].id].text
        store.labels.decide(TASK, items[2].id, FINE)
        assert items[2].id not in {doubt.item for doubt in open_doubts(store.labels, found.doubts)}
        propose(store.labels, items, found.doubts)
        assert items[2].id not in {decision.subject for decision in store.labels.pending(TASK)}
    finally:
        store.close()
