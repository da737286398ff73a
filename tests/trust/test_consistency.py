"""Every kind of conflict is found, names its culprit and says what to do in both languages; sound rules have none."""

import numpy as np
import pytest
from graphshop import ITEMS, TRIPLES, graph_shop

from shopkeeper.retrieval.graph.triples import Graph
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.knowledge import Triple
from shopkeeper.trust.consistency import check
from shopkeeper.trust.logic_syntax import parse


def conflicts(text, triples=()):
    return check(parse(text), Graph(Shelf(ITEMS), [*TRIPLES, *triples]))


def test_sound_rules_have_no_conflict():
    text = """
    suggest 2.0: bought(C, X), category(X, "Printers"), fits(Y, X), category(Y, "Ink")
    never: attribute(Y, "contains", "alcohol"), customer(C, "age_group", "minor")
    boost 1: category(Y, "Wine")
    suggest 1: in_basket(C, X), fits(Y, X), not bought(C, Y)
    boost 1: not viewed(C, Y)
    functional: owned_by
    asymmetric: fits
    """
    assert conflicts(text) == []


@pytest.mark.parametrize(
    ("text", "kind", "culprit", "said"),
    [
        ('never: category(Y, "Ink")\nsuggest 1: fits(Y, X), bought(C, X)', "forbidden", ("line 2", "line 1"), "All 3 items"),
        ('suggest 1: fits(Y, "p1")\nnever: brand(Y, "Canon")\nnever: price_below(Y, 6)', "forbidden",
         ("line 1", "line 2", "line 3"), "line 2 and line 3"),
        ('suggest 1: bought(C, X), fits(Y, X)\nnever: fits(Y, X), bought(C, X)', "contradiction", ("line 1", "line 2"), "Whenever"),
        ('boost 1: customer(C, "a", "b"), brand(Y, "Canon")\nnever: brand(Y, "Canon")', "contradiction",
         ("line 1", "line 2"), "Remove one"),
        ('suggest 1: fit(Y, X), bought(C, X)', "unknown", ("line 1",), "Did you mean 'fits'?"),
        ('never: category(Y, "Inc")', "unknown", ("line 1",), "Did you mean 'Ink'?"),
        ('never: brand(Y, "Cannon")', "unknown", ("line 1",), "Did you mean 'Canon'?"),
        ('never: attribute(Y, "materiel", "cotton")', "unknown", ("line 1",), "Did you mean 'material'?"),
        ('never: attribute(Y, "material", "coton")', "unknown", ("line 1",), "Did you mean 'cotton'?"),
        ('never: category(Y, "Wine"), brand(Y, "Canon")', "silent", ("line 1",), "can never fire"),
    ],
)  # fmt: skip
def test_conflicts_between_rules(text, kind, culprit, said):
    (found,) = conflicts(text)
    assert (found.kind, found.culprit) == (kind, culprit)
    assert said in found.text["en"]
    assert found.text["zh"]


def test_a_ban_for_some_customers_forbids_nothing_to_all():
    text = 'never: category(Y, "Ink"), customer(C, "tier", "gold")\nsuggest 1: fits(Y, X), bought(C, X)'
    assert conflicts(text) == []
    both = (
        'never: category(Y, "Ink"), customer(C, "t", "g")\nsuggest 1: fits(Y, X), bought(C, X), customer(C, "t", "g")'
    )
    assert [found.kind for found in conflicts(both)] == ["forbidden"]
    assert conflicts("never: bought(C, Y)\nsuggest 1: bought(C, X), fits(Y, X)") == []


def test_circles_name_their_triples():
    triples = [
        Triple("a", "part_of", "b"),
        Triple("b", "part_of", "c"),
        Triple("c", "part_of", "a"),
        Triple("d", "part_of", "d"),
    ]
    found = conflicts("asymmetric: part_of", triples)
    assert [conflict.kind for conflict in found] == ["cycle", "cycle"]
    circles = sorted(found, key=lambda conflict: len(conflict.culprit))
    assert circles[0].culprit == ("(d, part_of, d)",)
    assert set(circles[1].culprit) == {"(a, part_of, b)", "(b, part_of, c)", "(c, part_of, a)"}
    assert conflicts("", triples) == []
    (taxonomy,) = conflicts("", [Triple("category=Office", "parent", "category=Office > Ink")])
    assert set(taxonomy.culprit) == {
        "(category=Office, parent, category=Office > Ink)",
        "(category=Office > Ink, parent, category=Office)",
    }


def test_functional_relations_have_one_answer():
    found = conflicts(
        "functional: made_by",
        [Triple("i1", "made_by", "A"), Triple("i1", "made_by", "B"), Triple("i2", "made_by", "A")],
    )
    assert [conflict.culprit for conflict in found] == [("(i1, made_by, A)", "(i1, made_by, B)")]
    many = [Triple(f"x{n}", "made_by", end) for n in range(50) for end in "AB"]
    assert len(conflicts("functional: made_by", many)) == 20


def test_a_wide_rule_is_named_and_the_others_still_checked():
    from shopkeeper.records import Item

    shelf = Shelf(Item(id=f"x{n}", title="X", price=1.0) for n in range(2_500))
    rules = parse('suggest 1: price_below(X, 2), price_below(Y, 2), not near(X, Y)\nnever: brand(Y, "A")')
    found = check(rules, Graph(shelf, [Triple("x1", "near", "x2")]))
    assert [(conflict.kind, conflict.culprit) for conflict in found] == [
        ("unknown", ("line 2",)),
        ("wide", ("line 1",)),
    ]


def test_an_empty_shop_and_no_rules():
    assert check(parse(""), Graph(Shelf())) == []
    assert [found.kind for found in check(parse("never: price_below(Y, 2)"), Graph(Shelf()))] == ["silent"]
    assert np.array_equal(graph_shop()[1].items(), np.arange(8))
