import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from toyshop import toy_items

from shopkeeper.recipes.search.pseudo_queries import (
    attribute_query,
    brand_query,
    learn_phrases,
    misspelt,
    pseudo_queries,
    title_words,
    words,
)
from shopkeeper.records import Item

BAGS = [
    Item(id=str(n), title=f"{brand} {colour} laptop bag {n}00", brand=brand, attributes={"colour": colour})
    for n, (brand, colour) in enumerate([("Ada", "red"), ("Ada", "blue"), ("Bob", "red"), ("Bob", "green")] * 40)
]


def test_shared_phrases_are_learnt_and_lonely_or_general_ones_are_not():
    phrases = learn_phrases([*BAGS, *(Item(id=f"p{n}", title="Steel pan") for n in range(800))])
    assert {"laptop bag", "laptop", "red laptop bag"} <= phrases.counts.keys()
    assert "steel pan" not in phrases.counts
    assert not any(phrase.endswith("100") for phrase in phrases.counts)


@given(st.integers(0, 1_000))
def test_queries_are_made_of_the_items_own_words(seed):
    items = toy_items()
    texts = {item.id: item.text.lower() for item in items}
    for query, item, _ in pseudo_queries(items, learn_phrases(items), np.random.default_rng(seed), typos=0.0):
        assert query
        assert all(word in texts[item] for word in words(query))


def test_brand_attribute_and_title_makers():
    phrases, rng = (
        learn_phrases([*BAGS, *(Item(id=f"p{n}", title="Steel pan") for n in range(800))]),
        np.random.default_rng(0),
    )
    assert brand_query(BAGS[0], phrases, rng).startswith("ada ")
    assert (
        attribute_query(Item(id="x", title="Bag", category=("Bags",), attributes={"colour": "Red"}), phrases, rng)
        == "red bags"
    )
    made = title_words(BAGS[0], phrases, rng).split()
    assert 2 <= len(made) <= 4
    assert [word for word in words(BAGS[0].title) if word in made] == made


def test_per_item_gives_different_queries_and_the_seed_repeats_them():
    items = toy_items()
    made = [list(pseudo_queries(items, learn_phrases(items), np.random.default_rng(1), per_item=3)) for _ in range(2)]
    assert made[0] == made[1]
    assert len({(query, item) for query, item, _ in made[0]}) == len(made[0]) > 2 * len(items)


@given(st.text(max_size=30), st.integers(0, 100))
def test_a_slip_changes_one_word_at_most(query, seed):
    wrong = misspelt(query, np.random.default_rng(seed))
    left, right = query.split(" "), wrong.split(" ")
    assert len(left) == len(right)
    assert sum(a != b for a, b in zip(left, right, strict=True)) <= 1


def test_chinese_is_cut_into_words_that_do_not_overlap():
    assert "".join(words("不锈钢厨师刀")) == "不锈钢厨师刀"
    assert words("不锈钢厨师刀")[0] == "不锈钢"


def test_items_without_words_make_no_queries():
    items = [Item(id="a", title="..."), Item(id="b", title=" ")]
    assert list(pseudo_queries(items, learn_phrases(items), np.random.default_rng(0))) == []
