"""What goes into one basket: against a plain loop, against bestsellers, substitutes, returns and resellers; and bundles."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.records import Availability, Item
from shopkeeper.retrieval.complements import HOUR, bundle, complements, substitutes
from shopkeeper.retrieval.histories import fold
from shopkeeper.retrieval.shelf import Shelf

LEAVES = ("pans", "pans", "lids", "lids", "", "knives")
BASKETS = st.lists(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from([1.0, 1.0, -0.7]), st.integers(0, 80)), max_size=5),
    max_size=12,
)


def shelf_of(*leaves, groups=()):
    """A shelf with one item for each leaf category."""
    kinds = zip(leaves, groups or [""] * len(leaves), strict=True)
    return Shelf(
        Item(id=f"i{row}", title=f"i{row}", category=(leaf,) if leaf else (), group=group)
        for row, (leaf, group) in enumerate(kinds)
    )


def bought(*baskets, apart=0.0):
    """One customer a basket; its items `apart` hours from one another."""
    users = [user for user, basket in enumerate(baskets) for _ in basket]
    rows = [row for basket in baskets for row in basket]
    times = [place * apart * HOUR for basket in baskets for place in range(len(basket))]
    return fold(users, rows, np.ones(len(rows)), times, len(baskets))


def plain(baskets, shelf, hours, doubt, substitute):
    """The definition, pair by pair."""
    width, leaf = len(shelf), shelf.category_codes
    counts = np.zeros((width, width))
    for basket in baskets:
        for (one, yes, when), (other, too, then) in itertools.permutations(basket, 2):
            counts[one, other] += yes > 0 and too > 0 and abs(when - then) <= hours
    side, found = counts.sum(axis=1), np.zeros((width, width))
    expected = np.outer(side, side) / max(side.sum(), 1)
    for one, other in itertools.permutations(range(width), 2):
        prior = 1.0
        if leaf[one] and leaf[other]:
            pairs = {
                frozenset((i, j))
                for i, j in itertools.permutations(range(width), 2)
                if (leaf[i], leaf[j]) == (leaf[one], leaf[other]) and {i, j} != {one, other}
            }
            seen, chance = (sum(table[min(pair), max(pair)] for pair in pairs) for table in (counts, expected))
            prior = (seen + doubt) / (chance + doubt) * (substitute if leaf[one] == leaf[other] else 1)
        if counts[one, other]:
            found[one, other] = max(math.log((counts[one, other] + doubt * prior) / (expected[one, other] + doubt)), 0)
    return found


@given(BASKETS, st.sampled_from([10.0, 48.0]), st.sampled_from([0.5, 3.0]))
@settings(max_examples=60, deadline=None)
def test_it_is_the_lift_of_its_definition(drawn, hours, doubt):
    baskets = [list({row: (row, yes, when) for row, yes, when in basket}.values()) for basket in drawn]
    entries = sorted((when, user, row, yes) for user, basket in enumerate(baskets) for row, yes, when in basket)
    when, users, rows, strengths = np.array(entries, dtype=float).reshape(-1, 4).T
    purchases = fold(users, rows, strengths, when * HOUR, len(baskets))
    shelf = shelf_of(*LEAVES)
    source = complements(purchases, shelf, hours=hours, doubt=doubt)
    assert source.name == "complements"
    assert source.matrix.toarray() == pytest.approx(plain(baskets, shelf, hours, doubt, 0.2), abs=1e-5)
    assert (source.matrix != source.matrix.T).nnz == 0
    weights = purchases.weights(source.decay, 6)
    everything = np.arange(6)
    assert source.scores(weights) == pytest.approx(weights @ source.between(everything, everything), abs=1e-5)


def test_the_bestseller_in_every_basket_is_no_complement_of_anything_special():
    pairs = [[row, row + 1, 12] for row in range(0, 12, 2)] * 10
    found = complements(bought(*pairs), shelf_of(*[""] * 13)).matrix.toarray()
    assert found[0, 1] > 1
    assert found[0, 12] < 0.4 * found[0, 1]


def test_only_what_was_bought_within_the_hours_belongs_together():
    day = bought(*[[0, 1]] * 5, *[[2, 3]] * 5, apart=24.0)
    shelf = shelf_of(*[""] * 4)
    assert complements(day, shelf, hours=30.0).matrix.nnz == 4
    assert complements(day, shelf, hours=20.0).matrix.nnz == 0


def test_what_was_sent_back_pairs_with_nothing():
    purchases = bought(*[[0, 1]] * 5, *[[2, 3]] * 5)
    returned = np.where(purchases.rows == 1, np.float32(-0.7), purchases.strengths)
    found = complements(
        type(purchases)(purchases.indptr, purchases.rows, returned, purchases.times), shelf_of(*[""] * 4)
    )
    assert not found.matrix[[0, 1]].nnz
    assert found.matrix[[2, 3]].nnz == 2


def test_substitutes_need_clear_data():
    shelf = shelf_of("pans", "pans", "lids", "knives", "knives")
    rest = [[2, 3]] * 10 + [[2, 4]] * 10
    few = complements(bought([0, 1], [0, 2], *rest), shelf).matrix.toarray()
    assert few[0, 1] == 0
    many = complements(bought(*[[0, 1]] * 40, [0, 2], *rest), shelf).matrix.toarray()
    assert many[0, 1] > 0
    other_leaf = complements(
        bought(*[[0, 1]] * 40, [0, 2], *rest), shelf_of("pans", "lids", "pots", "knives", "knives")
    )
    assert other_leaf.matrix.toarray()[0, 1] > many[0, 1]


def test_what_other_pairs_of_the_two_leaves_say_helps_a_pair_seen_once():
    pans_and_lids = [[pan, lid] for pan in range(4) for lid in range(4, 8) if (pan, lid) != (0, 4)]
    others = [[8, 9]] * 30
    shelf = shelf_of(*["pans"] * 4, *["lids"] * 4, "", "")
    bare = shelf_of(*[""] * 10)
    purchases = bought(*pans_and_lids, [0, 4], *others)
    assert complements(purchases, shelf).matrix[0, 4] > complements(purchases, bare).matrix[0, 4]


def test_nearly_the_same_words_make_substitutes_and_different_words_do_not():
    vectors = np.array([[1, 0, 0], [0.99, 0.14, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]], dtype=np.float32)
    shelf = shelf_of(*[""] * 6)
    left, right = np.array([0, 0, 2, 4, 0]), np.array([1, 2, 3, 5, 4])
    assert substitutes(shelf, left, right, vectors).tolist() == [True, False, False, False, False]
    assert not substitutes(shelf, left, right).any()
    baskets = bought(*[[0, 1]] * 3, *[[0, 2]] * 3, *[[1, 3]] * 3)
    assert complements(baskets, shelf, vectors).matrix[0, 1] < complements(baskets, shelf).matrix[0, 1]


def test_variants_of_one_product_never_go_together():
    shelf = shelf_of(*[""] * 4, groups=("mug", "mug", "", ""))
    found = complements(bought(*[[0, 1]] * 50, *[[2, 3]] * 5), shelf)
    assert found.matrix[[0]].nnz == 0
    assert found.matrix[2, 3] > 0


def test_a_reseller_with_a_thousand_purchases_costs_no_square():
    shelf = shelf_of(*[""] * 1000)
    source = complements(bought(range(1000), [0, 1], [0, 1]), shelf)
    assert not source.matrix[2:700].nnz
    assert source.matrix.nnz <= 2 * 300 * 40 + 2


@given(st.permutations(range(6)))
@settings(max_examples=20, deadline=None)
def test_renumbering_the_rows_does_not_move_scores(order):
    rows = np.array(order)
    baskets = [[0, 2], [0, 2, 4], [1, 3], [1, 3, 5], [2, 5], [0, 1], [4, 5], [0, 3]]
    leaves = [""] * 6
    for row, leaf in zip(rows, LEAVES, strict=True):
        leaves[row] = leaf
    found = complements(bought(*baskets), shelf_of(*LEAVES)).matrix.toarray()
    moved = complements(bought(*[rows[basket] for basket in baskets]), shelf_of(*leaves)).matrix.toarray()
    assert moved[np.ix_(rows, rows)] == pytest.approx(found, abs=1e-6)


def test_nobody_bought_anything():
    source = complements(fold([], [], [], [], 1), shelf_of("pans", "lids"))
    assert source.matrix.nnz == 0
    assert bundle(source, 0, shelf_of("pans", "lids")).tolist() == []
    with pytest.raises(InputError, match="doubt"):
        complements(fold([], [], [], [], 1), shelf_of("pans"), doubt=0)


# A pan (0) with its lids (1, 2), a spatula (3), oil (4), and a knife (5) that goes with the pan but with none of these.
KITCHEN = ("pans", "lids", "lids", "tools", "oil", "knives")
COOKED = [[0, 1, 3, 4]] * 12 + [[0, 2, 3, 4]] * 6 + [[0, 5]] * 8 + [[5, 6]] * 30 + [[6, 7]] * 60


def kitchen():
    shelf = shelf_of(*KITCHEN, "", "")
    return shelf, complements(bought(*COOKED), shelf)


def test_a_bundle_goes_together_as_a_whole():
    shelf, source = kitchen()
    members = bundle(source, 0, shelf).tolist()
    assert sorted(members) in ([1, 3, 4], [2, 3, 4])
    for one, other in itertools.combinations([0, *members], 2):
        assert source.matrix[one, other] > 0
        assert not substitutes(shelf, np.array([one]), np.array([other])).any()
    assert source.matrix[0, members[0]] == source.matrix[[0]].max()


def test_a_bundle_holds_what_is_allowed_and_showable_and_no_more_than_asked():
    shelf, source = kitchen()
    first = int(bundle(source, 0, shelf)[0])
    assert bundle(source, 0, shelf, most=1).tolist() == [first]
    assert bundle(source, 0, shelf, most=0).tolist() == []
    allowed = np.ones(len(shelf), dtype=np.bool_)
    allowed[first] = False
    assert first not in bundle(source, 0, shelf, allowed=allowed)
    shelf.put(Item(id=f"i{first}", title="x", availability=Availability.OUT_OF_STOCK))
    assert first not in bundle(source, 0, shelf)


def test_no_lid_sells_a_pan():
    shelf, source = kitchen()
    prices = np.full(len(shelf), 10, dtype=np.float32)
    first = int(bundle(source, 0, shelf, prices=prices)[0])
    prices[first] = 10_000
    assert bundle(source, 0, shelf, prices=prices)[0] != first
    prices[first] = np.nan
    assert bundle(source, 0, shelf, prices=prices)[0] == first


def test_a_bundle_of_an_item_that_came_later_is_empty():
    shelf, source = kitchen()
    row = shelf.put(Item(id="late", title="late"))
    assert bundle(source, row, shelf).tolist() == []
