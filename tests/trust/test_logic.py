"""Logic rules: read, refused with their place, fired, explained, learnt; against a plain enumeration of bindings."""

from itertools import product

import numpy as np
import pytest
from graphshop import ITEMS, TRIPLES, graph_shop, names, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.retrieval.graph.triples import described
from shopkeeper.trust.logic import Facts, Logic, weigh
from shopkeeper.trust.logic_rules import Variable
from shopkeeper.trust.logic_syntax import parse

RULES = """
# what the shop knows about printers
suggest 2.0 "Ink for {X}" "适合{X}的墨盒": bought(C, X), category(X, "Printers"),
    fits(Y, X), category(Y, "Ink")
never: attribute(Y, "contains", "alcohol"), customer(C, "age_group", "minor")
boost 0.5: price_below(Y, 10), not category(Y, "Office > Ink")
boost -1: brand(Y, "Canon")
functional: made_by
asymmetric: accessory_of, part_of
"""


def test_rules_are_read():
    rules = parse(RULES)
    assert [(rule.act, rule.weight, rule.line) for rule in rules.rules] == [
        ("suggest", 2.0, 3), ("never", 0.0, 5), ("boost", 0.5, 6), ("boost", -1.0, 7),
    ]  # fmt: skip
    assert rules.functional == (("made_by", 8),)
    assert rules.asymmetric == (("accessory_of", 9), ("part_of", 9))
    assert dict(rules.rules[0].text) == {"en": "Ink for {X}", "zh": "适合{X}的墨盒"}
    assert parse("\n".join(map(str, rules.rules))).rules == tuple(
        rule.__class__(rule.act, rule.weight, rule.body, line) for line, rule in enumerate(rules.rules, 1)
    )
    assert parse("") == parse("# nothing\n\n")


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("sugest 1: fits(Y, X)", (1, 1), "Did you mean 'suggest'"),
        ("\n  suggest: fits(Y, X)", (2, 10), "weight after suggest"),
        ("suggest -1: fits(Y, X)", (1, 9), "above 0"),
        ("suggest 1 fits(Y, X)", (1, 11), "Write ':'"),
        ("suggest 1: fits(Y)", (1, 12), "fits takes 2 terms, not 1"),
        ("suggest 1: bough(C, X, Y)", (1, 12), "Did you mean 'bought'"),
        ("suggest 1: bought(X, C)", (1, 19), "Write the customer C"),
        ("suggest 1: fits(C, Y)", (1, 17), "a variable or a text"),
        ("never: price_below(Y, \"ten\")", (1, 23), "Write a number"),
        ("never: category(Y, red)", (1, 20), "is no term"),
        ('never: category(Y, "red)', (1, 20), "Close the text"),
        ("never: category(Y, \"red\"", (1, 25), "the end of the file"),
        ("never: brand(Y, \"A\") brand(Y, \"B\")", (1, 22), "not expected here"),
        ("suggest 1: bought(C, X)", (1, 1), "does not say what to suggest"),
        ('suggest 1: category(Y, "a"), not fits(Y, X)', (1, 1), "X is only denied"),
        ('suggest 1 "for {Z}": category(Y, "a")', (1, 1), "names {Z}"),
        ("never: category(Y, \"红\") ; ", (1, 25), "cannot stand here"),
        ("\n".join(['never: brand(Y, "A")'] * 1_001), (1_001, 1), "more than 1,000 rules"),
    ],
)  # fmt: skip
def test_mistakes_name_their_place_and_cure(text, place, said):
    with pytest.raises(InputError) as caught:
        parse(text, "logic.txt")
    assert caught.value.where == f"logic.txt, line {place[0]}, column {place[1]}"
    assert said in str(caught.value)
    assert caught.value.cure


@given(st.text(alphabet='suggestnever12. :(),"CXYnot#\n红', max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_text_is_read_or_refused_with_a_place(text):
    try:
        parse(text)
    except InputError as error:
        place = error.where
    else:
        place = "line 0, column 0"
    assert "line" in place
    assert "column" in place


def test_the_printer_brings_its_ink_and_the_minor_no_wine():
    shelf, graph = graph_shop()
    logic = Logic(parse(RULES), graph)
    result = logic.apply(Facts(bought=rows(shelf, "p1", "r1"), customer={"age_group": "minor"}))
    assert names(shelf, result.rows) == ["i1", "i3"]
    assert result.weights.tolist() == [2.0, 2.0]
    assert names(shelf, result.vetoed) == ["w1"]
    assert result.boosts(rows(shelf, "w1", "i1", "i2", "r1")).tolist() == [0.5, -1.0, 0.0, 0.0]
    (reason,) = result.reasons(int(rows(shelf, "i3")[0]))
    assert (reason.kind, reason.evidence) == ("rule", ("line 3", "p1"))
    assert reason.text == {"en": "Ink for Canon PIXMA G3000", "zh": "适合Canon PIXMA G3000的墨盒"}
    forbidden = {reason.kind: reason for reason in result.reasons(int(rows(shelf, "w1")[0]))}
    assert forbidden["forbidden"].evidence == ("line 5",)
    grown = logic.apply(Facts(customer={"age_group": "adult"}))
    assert len(grown.rows) == len(grown.vetoed) == 0
    assert grown.reasons(int(rows(shelf, "p2")[0])) == ()


def test_the_removal_test_holds_for_rules():
    shelf, graph = graph_shop()
    logic = Logic(parse(RULES), graph)
    with_, without = (logic.apply(Facts(bought=rows(shelf, *had))) for had in (("p1", "p2"), ("p2",)))
    (row,) = np.setdiff1d(with_.rows, without.rows).tolist()
    assert shelf.item(row).id == "i1"
    assert with_.reasons(row)[0].evidence == ("line 3", "p1")


def test_facts_of_a_history():
    facts = Facts.of(np.array([3, 1, 3]), ["purchase", "view", "click"], np.array([2]), {"tier": "gold"})
    assert (facts.bought.tolist(), facts.viewed.tolist(), facts.basket.tolist()) == ([3], [1, 3], [2])


@pytest.mark.parametrize(
    ("rule", "bought", "expected"),
    [
        ('suggest 1: viewed(C, X), fits(Y, X)', ["p1"], []),
        ('suggest 1: in_basket(C, X), fits(Y, X)', ["p1"], []),
        ('suggest 1: bought(C, X), fits(X, Y)', ["i3"], ["p1", "p2"]),
        ('suggest 1: bought(C, X), brand(X, B), brand(Y, B)', ["p1"], ["i1"]),
        ('suggest 1: bought(C, X), brand(X, B), owned_by(B, G), owned_by(D, G), brand(Y, D)', ["p1"], ["i1", "i2", "p2"]),
        ('suggest 1: bought(C, X), attribute(X, "material", V), attribute(Y, "material", V)', ["r1"], ["r2"]),
        ('suggest 1: category(Y, "Office"), not bought(C, Y), price_above(Y, 10)', ["p1"], ["i1", "p2"]),
        ('suggest 1: category(Y, "Office"), not customer(C, "tier", "gold")', [], ["i1", "i2", "i3", "p1", "p2"]),
        ('suggest 1: category(Y, "office")', [], []),
        ('suggest 1: fits(Y, "p1"), not fits(Y, "p2")', [], ["i1"]),
        ('suggest 1: fits("i3", Y), owned_by("brand=Canon", "Keiretsu")', [], ["p1", "p2"]),
        ('suggest 1: fits("i3", Y), not owned_by("brand=Canon", "Keiretsu")', [], []),
        ('suggest 1: bought(C, X), brand(X, "Sonoro"), price_below(Y, 6)', ["r1"], ["i3"]),
        ('suggest 1: fits(Y, Z), brand(Z, "Epson")', [], ["i2", "i3"]),
        ('suggest 1: fits(X, Z), fits(Y, W), brand(X, "Canon"), brand(Z, B), brand(W, B)', [], ["i3"]),
    ],
)  # fmt: skip
def test_conditions(rule, bought, expected):
    shelf, graph = graph_shop()
    result = Logic(parse(rule), graph).apply(Facts(bought=rows(shelf, *bought)))
    assert names(shelf, result.rows) == expected


FACTS = {(item.id, relation, end) for item in ITEMS for relation, end in described(item)} | {
    (triple.head, triple.relation, triple.tail) for triple in TRIPLES
}
THINGS = sorted({item.id for item in ITEMS} | {end for _, _, end in FACTS} | {head for head, _, _ in FACTS})
CONDITIONS = st.sampled_from(
    ["bought(C, X)", "fits(Y, X)", "fits(X, Y)", "brand(X, B)", "brand(Y, B)", 'category(Y, "Office")', "owned_by(B, Z)",
     'category(X, "Ink")', "price_below(Y, 10)", "not fits(Y, X)", "not bought(C, Y)", "not brand(Y, B)", 'brand(Y, "Canon")']
)  # fmt: skip


def holds(condition, binding, bought):
    values = [binding[t.name] if isinstance(t, Variable) and t.name != "C" else t for t in condition.terms]
    price = {item.id: item.price for item in ITEMS}
    if condition.predicate == "bought":
        found = values[1] in bought
    elif condition.predicate == "price_below":
        found = (price.get(values[0]) or 1e9) < values[1]
    else:
        head, tail = values
        tails = {tail, f"{condition.predicate}={tail}"} | {t for _, _, t in FACTS if t.endswith(f" > {tail}")}
        found = any((head, condition.predicate, t) in FACTS for t in tails)
    return found is not condition.negated


@given(st.lists(CONDITIONS, min_size=1, max_size=4, unique=True), st.sets(st.sampled_from([i.id for i in ITEMS])))
@settings(max_examples=60, deadline=None)
def test_joins_agree_with_trying_every_binding(conditions, bought):
    try:
        rules = parse(f"suggest 1: {', '.join(conditions)}")
    except InputError:
        return
    (rule,) = rules.rules
    variables = sorted(set().union(*(part.variables for part in rule.body)))
    expected = set()
    for values in (
        product(THINGS, repeat=len(variables)) if len(variables) < 3 else _candidates(rule, variables, bought)
    ):
        binding = dict(zip(variables, values, strict=True))
        if binding["Y"] != binding.get("X") and all(holds(part, binding, bought) for part in rule.body):
            expected.add(binding["Y"])
    shelf, graph = graph_shop()
    result = Logic(rules, graph).apply(Facts(bought=rows(shelf, *sorted(bought))))
    assert names(shelf, result.rows) == sorted(expected & {item.id for item in ITEMS})


def _candidates(rule, variables, bought):
    """Bindings of many variables, cut back condition by condition."""
    partial = [{}]
    for name in variables:
        partial = [{**binding, name: thing} for binding in partial for thing in THINGS]
        bound = set(variables[: variables.index(name) + 1])
        for part in rule.body:
            if part.variables and part.variables <= bound:
                partial = [binding for binding in partial if holds(part, binding, bought)]
    return [tuple(binding[name] for name in variables) for binding in partial]


def test_a_join_that_explodes_is_refused():
    from shopkeeper.records import Item
    from shopkeeper.retrieval.graph.triples import Graph
    from shopkeeper.retrieval.shelf import Shelf

    shelf = Shelf(Item(id=f"x{n}", title="X", price=1.0) for n in range(2_500))
    logic = Logic(parse("suggest 1: price_below(X, 2), price_below(Y, 2)"), Graph(shelf))
    with pytest.raises(InputError, match=r"line 1.*Name a category"):
        logic.apply(Facts())


def test_sold_off_items_are_neither_suggested_nor_vetoed():
    shelf, graph = graph_shop()
    (row,) = rows(shelf, "i3").tolist()
    shelf.remove("i3")
    graph.drop(np.array([row]))
    result = Logic(parse(RULES), graph).apply(Facts(bought=np.array([0])))
    assert names(shelf, result.rows) == ["i1"]


def test_weights_are_learnt_from_what_was_taken():
    rules = parse('suggest 1: category(Y, "Ink")\nsuggest 1: category(Y, "Food")\nnever: brand(Y, "Canon")')
    rng = np.random.default_rng(0)
    fired = rng.integers(0, 2, size=(400, 3)).astype(np.float32)
    taken = rng.random(400) < np.where(fired[:, 0] > 0, 0.8, 0.2)
    learnt = weigh(rules, fired, taken)
    assert learnt.rules[0].weight == pytest.approx(2.77, abs=0.5)  # the difference of the two log odds
    assert learnt.rules[1].weight < 0.5
    assert learnt.rules[2] == rules.rules[2]
    with pytest.raises(InputError, match="400 taken"):
        weigh(rules, fired, np.ones(400, dtype=bool))


def test_what_fired_is_a_table():
    shelf, graph = graph_shop()
    result = Logic(parse(RULES), graph).apply(Facts(bought=rows(shelf, "p1")))
    assert result.fired(rows(shelf, "i1", "w1")).tolist() == [[1, 0, 0, 1], [0, 0, 1, 0]]
