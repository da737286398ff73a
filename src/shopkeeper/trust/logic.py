"""Logic rules applied to one request: what they bring in, what they move, what they forbid, and why.

Each rule is a conjunctive query over the graph's triples, the shelf's prices and the facts about a customer. Its conditions
are joined one after the other, tests and small sets first; all bindings move as columns of node numbers. Rules that fire
add their weights, once for an item however many bindings there are (a log-linear model as in Richardson and Domingos 2006,
"Markov logic networks", without counting).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import InputError
from shopkeeper.records import EventKind, Reason
from shopkeeper.retrieval.graph.triples import Graph, Nodes
from shopkeeper.retrieval.shelf import Rows
from shopkeeper.trust.logic_joins import Bindings, Known, join
from shopkeeper.trust.logic_rules import ACTS, LogicRule, LogicRules

Floats = NDArray[np.float32]

_TITLE: Final = 48
_PLAIN: Final = {"en": "A rule of the shop", "zh": "商店规则"}
_VIEWS: Final = (EventKind.VIEW, EventKind.CLICK, EventKind.AD_CLICK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a request knows of its customer.

    Attributes:
        bought: int64 (n,), rows.
        viewed: int64 (n,), rows looked at or clicked.
        basket: int64 (n,), rows in the basket now, or on the page.
        customer: Attributes.
    """

    bought: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    viewed: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    basket: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    customer: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, rows: Rows, kinds: Sequence[str], basket: Rows | None = None, customer: Mapping[str, str] | None = None
    ) -> Facts:
        """Facts of a history.

        Args:
            rows: int64 (n,), one an event.
            kinds: What was done with each, see `EventKind`.
            basket: Rows in the basket.
            customer: Attributes.
        """
        bought = np.fromiter((kind == EventKind.PURCHASE for kind in kinds), dtype=np.bool_, count=len(rows))
        viewed = np.fromiter((kind in _VIEWS for kind in kinds), dtype=np.bool_, count=len(rows))
        nothing = np.zeros(0, dtype=np.int64)
        return cls(
            bought=np.unique(rows[bought]),
            viewed=np.unique(rows[viewed]),
            basket=nothing if basket is None else np.unique(basket),
            customer=customer or {},
        )


@dataclass(frozen=True, slots=True)
class _Fired:
    """A rule that fired: the candidates, and the first binding of each."""

    number: int
    rows: Rows
    bindings: Bindings


class LogicResult:
    """What the rules made of a request.

    Attributes:
        rows: int64 (k,), suggested items, rising; none of them vetoed.
        weights: float32 (k,), sum of the weights of the rules that suggest each.
        vetoed: int64 (v,), rows that must not be shown, rising.
    """

    def __init__(self, rules: Sequence[LogicRule], graph: Graph, fired: Sequence[_Fired]) -> None:
        self._rules = rules
        self._graph = graph
        self._fired = fired
        self.vetoed = self._rows("never")
        self.rows = np.setdiff1d(self._rows("suggest"), self.vetoed, assume_unique=True)
        self.weights = self._weight("suggest", self.rows)

    def boosts(self, rows: Rows) -> Floats:
        """Sum of the weights of the boosts that fire for each of `rows`: float32 (n,), to be added to scores."""
        return self._weight("boost", rows)

    def fired(self, rows: Rows) -> Floats:
        """Which rules speak for `rows`: float32 (n, rules), 1 where one fires."""
        table = np.zeros((len(rows), len(self._rules)), dtype=np.float32)
        for one in self._fired:
            table[:, one.number] = np.isin(rows, one.rows)
        return table

    def reasons(self, row: int) -> tuple[Reason, ...]:
        """Why rules suggest, boost or forbid a row, the heaviest first: evidence is the rule and the ids it was bound to."""
        found: list[tuple[float, Reason]] = []
        for one in self._fired:
            place = int(np.searchsorted(one.rows, row))
            if place < len(one.rows) and one.rows[place] == row:
                rule = self._rules[one.number]
                nodes = {name: int(column[place]) for name, column in one.bindings.items()}
                found.append((abs(rule.weight), self._reason(rule, nodes)))
        return tuple(reason for _, reason in sorted(found, key=lambda pair: -pair[0]))

    def _reason(self, rule: LogicRule, nodes: Mapping[str, int]) -> Reason:
        names = self._graph.nodes.values
        evidence = [names[node] for name, node in sorted(nodes.items()) if name != "Y"]
        texts = dict(_PLAIN)
        written = dict(rule.text)
        for tag in texts:
            if said := written.get(tag) or written.get("en"):
                for name, node in nodes.items():
                    title = self._graph.text(node, tag)
                    title = title if len(title) <= _TITLE else title[: _TITLE - 1].rstrip() + "…"
                    said = said.replace(f"{{{name}}}", title)
                texts[tag] = said
        kind = "forbidden" if rule.act == "never" else "rule"
        return Reason(kind=kind, evidence=(rule.name, *evidence), text=texts)

    def _rows(self, act: str) -> Rows:
        rows = [one.rows for one in self._fired if self._rules[one.number].act == act]
        return np.unique(np.concatenate(rows)) if rows else np.zeros(0, dtype=np.int64)

    def _weight(self, act: str, rows: Rows) -> Floats:
        total = np.zeros(len(rows), dtype=np.float32)
        for one in self._fired:
            rule = self._rules[one.number]
            if rule.act == act:
                total += np.float32(rule.weight) * np.isin(rows, one.rows)
        return total


class Logic:
    """Rules over a graph. Immutable but for the graph beneath, which may be updated at any time.

    Args:
        rules: Parsed ones.
        graph: What they speak about.
    """

    def __init__(self, rules: LogicRules, graph: Graph) -> None:
        self.rules = rules.rules
        self.graph = graph

    def apply(self, facts: Facts) -> LogicResult:
        """Fire the rules for one customer. Items that are gone are neither suggested nor bound to X.

        Args:
            facts: Of the customer.

        Raises:
            InputError: A rule joins so widely that its bindings do not fit (five million).
        """
        return LogicResult(self.rules, self.graph, self._fired(facts, ACTS))

    def vetoed(self, facts: Facts) -> Rows:
        """Rows that must not be shown to one customer, rising: the part of `apply` that other pages need."""
        return LogicResult(self.rules, self.graph, self._fired(facts, ("never",))).vetoed

    def _fired(self, facts: Facts, acts: Sequence[str]) -> list[_Fired]:
        known = Known(
            deeds={
                "bought": self._nodes(facts.bought),
                "viewed": self._nodes(facts.viewed),
                "in_basket": self._nodes(facts.basket),
            },
            customer=facts.customer,
        )
        fired = []
        for number, rule in enumerate(self.rules):
            if rule.act not in acts:
                continue
            found = join(self.graph, rule, known, keep=frozenset({"X", "Y"}) | _named(rule))
            if found is not None and (one := self._candidates(number, rule, found)) is not None:
                fired.append(one)
        return fired

    def _nodes(self, rows: Rows) -> Nodes:
        nodes = self.graph.nodes_of(rows)
        return np.unique(nodes[nodes > 0])

    def _candidates(self, number: int, rule: LogicRule, found: Bindings) -> _Fired | None:
        rows = self.graph.rows_of(found["Y"])
        good = rows >= 0
        if rule.act == "suggest" and "X" in found:
            good &= found["X"] != found["Y"]
        unique, first = np.unique(rows[good], return_index=True)
        if not len(unique):
            return None
        return _Fired(number, unique, {name: column[good][first] for name, column in found.items()})


def weigh(rules: LogicRules, fired: Floats, taken: NDArray[np.bool_]) -> LogicRules:
    """Weights learnt from what customers took: a logistic regression on the rules that fired.

    Args:
        rules: Their own weights do not matter; vetoes stay.
        fired: float32 (n, rules), see `LogicResult.fired`, one row an item that was shown.
        taken: bool (n,), whether it was clicked or bought.

    Returns:
        The rules with new weights; a suggestion that speaks against being taken keeps 0.01, never a negative weight.

    Raises:
        InputError: The shapes do not belong together, or nothing or everything was taken.
    """
    from sklearn.linear_model import LogisticRegression

    if fired.shape != (len(taken), len(rules.rules)) or taken.all() or not taken.any():
        raise InputError(
            f"Weights cannot be learnt from {fired.shape[0]} rows of {len(rules.rules)} rules, {int(taken.sum())} taken.",
            where="examples",
            cure="Give one row a shown item and one column a rule, some taken and some not.",
        )
    learnt = LogisticRegression(max_iter=1_000).fit(fired, taken).coef_[0]
    changed = [
        rule
        if rule.act == "never" or not fired[:, place].any()
        else replace(rule, weight=round(max(float(value), 0.01) if rule.act == "suggest" else float(value), 4))
        for place, (rule, value) in enumerate(zip(rules.rules, learnt, strict=True))
    ]
    return replace(rules, rules=tuple(changed))


def _named(rule: LogicRule) -> frozenset[str]:
    """Variables that the rule's texts show."""
    shown = " ".join(text for _, text in rule.text)
    return frozenset(name for part in rule.body for name in part.variables if f"{{{name}}}" in shown)
