"""Conjunctive queries over the graph: the conditions of a rule joined into columns of bindings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import InputError
from shopkeeper.retrieval.graph.triples import Graph, Nodes
from shopkeeper.trust.logic_rules import DEEDS, Condition, LogicRule, Term, Variable

Bindings = dict[str, Nodes]
"""Variable to int64 (n,), one entry a binding; all columns equally long."""

_MOST: Final = 5_000_000
_NODE_BITS: Final = 32


@dataclass(frozen=True, slots=True)
class Known:
    """The facts of a request as nodes.

    Attributes:
        deeds: ``bought``, ``viewed``, ``in_basket`` to the nodes it was done with, sorted.
        customer: Attributes; None stands for anybody: all that a rule asks of them holds, also what they have not done.
    """

    deeds: Mapping[str, Nodes]
    customer: Mapping[str, str] | None


def join(graph: Graph, rule: LogicRule, known: Known, *, keep: frozenset[str]) -> Bindings | None:
    """All bindings under which a rule's body holds, None when there is none.

    Args:
        graph: The triples.
        rule: Its candidate Y ranges over all living items where no condition names it.
        known: The facts.
        keep: Variables to keep; others are dropped once no condition needs them. Where the same Y is reached with several
            values of a kept variable, one of them stands for all; for suggestions each X is kept.

    Raises:
        InputError: There are more than five million bindings at once.
    """
    body = [part for part in rule.body if part.predicate != "customer" and not _waived(known, part)]
    if not all(_is(known, part) for part in rule.body if part.predicate == "customer"):
        return None
    told = frozenset({"X", "Y"} if rule.act == "suggest" else {"Y"}) & keep
    bound: Bindings = {}
    while body:
        part = min(body, key=lambda one: _cost(one, bound))
        body.remove(part)
        if part.negated and not part.variables <= bound.keys():
            bound = _crossed(bound, "Y", graph.nodes_of(graph.items()), rule)
        bound = _joined(graph, bound, part, known, rule)
        if bound and not len(next(iter(bound.values()))):
            return None
        rest = told.union(*(other.variables for other in body))
        bound = _fewer(bound, rest, keep | rest)
    if "Y" not in bound:
        bound = _crossed(bound, "Y", graph.nodes_of(graph.items()), rule)
    return bound if len(bound["Y"]) else None


def _waived(known: Known, part: Condition) -> bool:
    """Nobody in particular has done nothing."""
    return known.customer is None and part.negated and part.predicate in DEEDS


def _is(known: Known, part: Condition) -> bool:
    if known.customer is None:
        return True
    _, name, value = part.terms
    return (known.customer.get(str(name)) == value) is not part.negated


def _cost(part: Condition, bound: Bindings) -> tuple[int, int]:
    """What to join first: tests on what is bound, then deeds, then relations from what is bound, then all else."""
    free = len(part.variables - bound.keys())
    if part.negated:
        return (0 if not free else 9), free
    if not free:
        return 0, 0
    if part.predicate in DEEDS:
        return 1, free
    if part.predicate in ("price_below", "price_above"):
        return 6, free
    return (2 if part.variables & bound.keys() else 4), free


def _joined(graph: Graph, bound: Bindings, part: Condition, known: Known, rule: LogicRule) -> Bindings:
    if part.predicate in DEEDS:
        return _among(bound, part, _name(part.terms[1]), known.deeds[part.predicate], rule)
    if part.predicate in ("price_below", "price_above"):
        return _priced(graph, bound, part, rule)
    if part.predicate == "attribute":
        relation, ends = str(part.terms[1]), (part.terms[0], part.terms[2])
    else:
        relation, ends = part.predicate, (part.terms[0], part.terms[1])
    return _related(graph, bound, part, relation, ends, rule)


def _related(
    graph: Graph, bound: Bindings, part: Condition, relation: str, ends: tuple[Term, Term], rule: LogicRule
) -> Bindings:
    head, tail = ends
    if isinstance(head, Variable) and isinstance(tail, Variable):
        return _between(graph, bound, part, relation, (head.name, tail.name), rule)
    if isinstance(head, Variable):
        return _beside(graph, bound, part, head.name, relation, graph.meant(relation, str(tail)), rule, back=True)
    if isinstance(tail, Variable):
        return _beside(graph, bound, part, tail.name, relation, graph.meant(relation, str(head)), rule, back=False)
    _, met = graph.step(graph.meant(relation, str(head)), relation)
    holds = bool(np.isin(graph.meant(relation, str(tail)), met).any())
    return bound if holds is not part.negated else _nothing(bound)


def _beside(
    graph: Graph,
    bound: Bindings,
    part: Condition,
    name: str,
    relation: str,
    fixed: Nodes,
    rule: LogicRule,
    *,
    back: bool,
) -> Bindings:
    """Bindings whose `name` is joined to one of `fixed`: by testing what is bound, by following the relation if not."""
    if name not in bound:
        return _crossed(bound, name, np.unique(graph.step(fixed, relation, back=back)[1]), rule)
    column = bound[name]
    joined = np.zeros(len(column), dtype=np.bool_)
    for node in fixed:
        one = np.full(len(column), node)
        joined |= graph.holds(column, relation, one) if back else graph.holds(one, relation, column)
    return _where(bound, joined ^ part.negated)


def _between(
    graph: Graph, bound: Bindings, part: Condition, relation: str, names: tuple[str, str], rule: LogicRule
) -> Bindings:
    head, tail = names
    if head in bound and tail in bound:
        return _where(bound, graph.holds(bound[head], relation, bound[tail]) ^ part.negated)
    if head not in bound and tail not in bound:
        heads, _, tails = graph.edges(relation)
        if head == tail:
            return _crossed(bound, head, np.unique(heads[heads == tails]), rule)
        return _crossed(_crossed(bound, head, heads, rule), tail, tails, rule, beside=head)
    start, end, back = (head, tail, False) if head in bound else (tail, head, True)
    origin, reached = graph.step(bound[start], relation, back=back)
    _limit(len(origin), rule)
    return {**{name: column[origin] for name, column in bound.items()}, end: reached}


def _priced(graph: Graph, bound: Bindings, part: Condition, rule: LogicRule) -> Bindings:
    name, limit = _name(part.terms[0]), np.float32(str(part.terms[1]))
    rows = graph.rows_of(bound[name]) if name in bound else graph.items()
    price = np.where(rows >= 0, graph.shelf.prices[rows], np.float32(np.nan))  # an unknown price passes neither test
    good = (price < limit if part.predicate == "price_below" else price > limit) ^ part.negated
    return _where(bound, good) if name in bound else _crossed(bound, name, graph.nodes_of(rows[good]), rule)


def _among(bound: Bindings, part: Condition, name: str, allowed: Nodes, rule: LogicRule) -> Bindings:
    """Bindings whose `name` is one of `allowed`, sorted, or is not."""
    if name in bound:
        place = np.minimum(np.searchsorted(allowed, bound[name]), max(len(allowed) - 1, 0))
        inside = allowed[place] == bound[name] if len(allowed) else np.zeros(len(bound[name]), dtype=np.bool_)
        return _where(bound, inside ^ part.negated)
    return _crossed(bound, name, allowed, rule)


def _crossed(bound: Bindings, name: str, nodes: Nodes, rule: LogicRule, beside: str = "") -> Bindings:
    """Every binding with every one of `nodes` as `name`; `beside` names the column that came with them, one to one."""
    if not bound:
        return {name: nodes}
    length = len(next(iter(bound.values())))
    if beside:
        times = length // max(len(nodes), 1)
        return {**bound, name: np.tile(nodes, times)}
    _limit(length * len(nodes), rule)
    crossed = {other: np.repeat(column, len(nodes)) for other, column in bound.items()}
    return {**crossed, name: np.tile(nodes, length)}


def _fewer(bound: Bindings, decisive: frozenset[str], kept: frozenset[str]) -> Bindings:
    """Only the columns to be kept and, where two at most decide what follows, each of their values once."""
    left = {name: column for name, column in bound.items() if name in kept}
    columns = [column for name, column in left.items() if name in decisive]
    if len(columns) == len(bound) or len(columns) > 2:
        return left
    if not columns:
        return _where(left, np.zeros(1, dtype=np.intp)) if left else {}
    packed = columns[0] if len(columns) == 1 else (columns[0] << _NODE_BITS) | columns[1]
    return _where(left, np.unique(packed, return_index=True)[1])


def _where(bound: Bindings, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Bindings:
    return {name: column[chosen] for name, column in bound.items()}


def _nothing(bound: Bindings) -> Bindings:
    return {name: column[:0] for name, column in bound.items()} or {"Y": np.zeros(0, dtype=np.int64)}


def _limit(count: int, rule: LogicRule) -> None:
    if count > _MOST:
        raise InputError(
            f"The rule joins so widely that it has more than {_MOST:,} bindings.",
            where=f"rules, {rule.name}",
            cure="Name a category, a brand or a value that narrows it down.",
        )


def _name(term: Term) -> str:
    assert isinstance(term, Variable)
    return term.name


def constants(part: Condition) -> Iterator[tuple[str, str]]:
    """(relation, text) of the texts that a condition compares nodes with."""
    if part.predicate == "attribute":
        if isinstance(part.terms[2], str):
            yield str(part.terms[1]), part.terms[2]
    elif part.predicate != "customer":
        yield from ((part.predicate, term) for term in part.terms if isinstance(term, str))
