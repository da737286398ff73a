"""Do the rules and the graph agree with themselves? Every conflict names its culprit and a cure, in English and Chinese."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import breadth_first_order, connected_components

from shopkeeper.errors import InputError
from shopkeeper.retrieval.graph.triples import PARENT, Graph, Nodes
from shopkeeper.trust.logic_joins import Known, constants, join
from shopkeeper.trust.logic_rules import DEEDS, Condition, LogicRule, LogicRules

_EACH: Final = 20
"""Culprits of one kind that are named."""
_PLAIN: Final = (*DEEDS, "customer", "price_below", "price_above", "attribute")


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something that contradicts something else.

    Attributes:
        kind: ``forbidden``, ``contradiction``, ``unknown``, ``silent``, ``wide``, ``cycle`` or ``functional``.
        culprit: A rule's line, or triples as ``(head, relation, tail)``.
        text: What is wrong and what to do, per language tag.
    """

    kind: str
    culprit: tuple[str, ...]
    text: Mapping[str, str]


def check(rules: LogicRules, graph: Graph) -> list[Conflict]:
    """All conflicts, rules first. Takes about as long as firing every rule for a customer who bought everything.

    Args:
        rules: Parsed ones, with what they declare of relations.
        graph: What they speak about.
    """
    found = [conflict for rule in rules.rules for conflict in _unknown(rule, graph)]
    lost = {culprit for conflict in found for culprit in conflict.culprit}
    candidates: dict[int, NDArray[np.int64]] = {}
    for rule in rules.rules:
        if rule.name in lost:
            continue
        try:
            candidates[rule.line] = _candidates(rule, graph)
        except InputError as error:
            found.append(
                _conflict(
                    "wide", [rule.name], error.what, error.cure, "规则的连接范围太大", "请加上类目、品牌或属性条件"
                )
            )
            continue
        if not len(candidates[rule.line]):
            what, cure = (
                f"{rule} can never fire: no item of the shop satisfies it.",
                "Remove it, or check its conditions together.",
            )
            found.append(
                _conflict(
                    "silent", [rule.name], what, cure, f"{rule} 永远不会生效：没有商品满足条件", "请删除或检查各条件"
                )
            )
    found += _contradictions(rules.rules, candidates)
    for relation, line in ((PARENT, 0), *rules.asymmetric):
        found += _cycles(graph, relation, line)
    for relation, line in rules.functional:
        found += _functional(graph, relation, line)
    return found


def _candidates(rule: LogicRule, graph: Graph) -> NDArray[np.int64]:
    """Rows that a rule could ever be about, whoever the customer is: int64 (n,), sorted."""
    everything = np.sort(graph.nodes_of(graph.items()))
    bound = join(graph, rule, Known(dict.fromkeys(DEEDS, everything), None), keep=frozenset({"Y"}))
    rows = np.zeros(0, dtype=np.int64) if bound is None else np.unique(graph.rows_of(bound["Y"]))
    return np.asarray(rows[rows >= 0])


def _unknown(rule: LogicRule, graph: Graph) -> Iterator[Conflict]:
    names = graph.relations.values[1:]
    for part in rule.body:
        relation = str(part.terms[1]) if part.predicate == "attribute" else part.predicate
        if (part.predicate == "attribute" or part.predicate not in _PLAIN) and relation not in names:
            what = f"{part}: no item has the attribute or relation {relation!r}."
            yield _missing(rule, what, f"{part}：没有名为“{relation}”的属性或关系", relation, names)
            continue
        for of, value in constants(part):
            if not len(graph.meant(of, value)):
                met = [graph.nodes.values[node].partition("=")[2] for node in np.unique(graph.edges(of)[2]).tolist()]
                known = [end for name in met if name for end in {name, name.rpartition(" > ")[2]}]
                yield _missing(rule, f"{part}: there is no {value!r}.", f"{part}：不存在“{value}”", value, known)


def _missing(rule: LogicRule, what: str, chinese: str, word: str, known: Iterable[str]) -> Conflict:
    near = difflib.get_close_matches(word, list(known), 1)
    cure = f"Did you mean {near[0]!r}?" if near else "Correct the name, or import triples that have it."
    return _conflict(
        "unknown", [rule.name], what, cure, chinese, f"是否应为“{near[0]}”？" if near else "请更正名称或导入相应数据"
    )


def _contradictions(rules: tuple[LogicRule, ...], candidates: Mapping[int, NDArray[np.int64]]) -> Iterator[Conflict]:
    vetoes = [rule for rule in rules if rule.act == "never" and rule.line in candidates]
    for rule in rules:
        if rule.act == "never" or not len(candidates.get(rule.line, ())):
            continue
        body = set(rule.body)
        denied = [veto for veto in vetoes if set(veto.body) <= body]
        if denied:
            lines = [rule.name, *(veto.name for veto in denied)]
            what = f"Whenever {rule.name} fires, {denied[0].name} forbids what it speaks for."
            chinese = f"{_zh(rule)}生效时，{_zh(denied[0])}总会禁止其结果"
            yield _conflict("contradiction", lines, what, "Remove one of the two.", chinese, "请删除其中一条")
            continue
        standing = [veto for veto in vetoes if all(part in body for part in veto.body if _personal(part))]
        standing = [veto for veto in standing if not any(part.predicate in DEEDS for part in veto.body)]
        left = candidates[rule.line]
        guilty = []
        for veto in standing:
            rest = np.setdiff1d(left, candidates[veto.line], assume_unique=True)
            if len(rest) < len(left):
                guilty.append(veto)
            left = rest
        if not len(left):
            lines = [rule.name, *(veto.name for veto in guilty)]
            names = " and ".join(lines[1:])
            what = f"All {len(candidates[rule.line]):,} items that {rule.name} speaks for are forbidden by {names}."
            chinese = f"{_zh(rule)}涉及的商品全部被{'、'.join(map(_zh, guilty))}禁止"
            yield _conflict(
                "forbidden", lines, what, "Narrow the ban, or remove the rule.", chinese, "请缩小禁止范围或删除该规则"
            )


def _personal(part: Condition) -> bool:
    return part.predicate == "customer" or part.predicate in DEEDS


def _zh(rule: LogicRule) -> str:
    return f"第{rule.line}行"


def _cycles(graph: Graph, relation: str, line: int) -> Iterator[Conflict]:
    """One circle from every knot of a relation that must not have any."""
    heads, _, tails = graph.edges(relation)
    if not len(heads):
        return
    nodes, at = np.unique(np.concatenate([heads, tails]), return_inverse=True)
    left, right = at[: len(heads)], at[len(heads) :]
    joined = sp.csr_array((np.ones(len(heads), dtype=np.int8), (left, right)), shape=(len(nodes), len(nodes)))
    _, knot = connected_components(joined, directed=True, connection="strong")
    inside = knot[left] == knot[right]
    _, first = np.unique(knot[left[inside]], return_index=True)
    for place in first[:_EACH].tolist():
        begin, end = int(left[inside][place]), int(right[inside][place])
        circle = [nodes[begin], *nodes[_route(joined, end, begin)]]
        names = [graph.nodes.values[node] for node in circle]
        triples = [f"({one}, {relation}, {other})" for one, other in pairwise(names)]
        said = f"line {line} says that" if line else "In the taxonomy"
        what = f"{said} {relation} never leads back, but it does: {' -> '.join(names)}."
        chinese = f"关系 {relation} 不应成环：{' → '.join(names)}"
        yield _conflict("cycle", triples, what, "Remove one of these triples.", chinese, "请删除其中一个三元组")


def _route(joined: sp.csr_array, begin: int, end: int) -> list[int]:
    """A shortest way from `begin` to `end`, both included."""
    _, before = breadth_first_order(joined, begin, directed=True)
    route = [end]
    while route[-1] != begin:
        route.append(int(before[route[-1]]))
    return route[::-1]


def _functional(graph: Graph, relation: str, line: int) -> Iterator[Conflict]:
    heads, _, tails = graph.edges(relation)
    unique, counts = np.unique(heads, return_counts=True)
    for head in unique[counts > 1][:_EACH].tolist():
        several: Nodes = tails[heads == head]
        names, name = graph.nodes.values, graph.nodes.values[head]
        triples = [f"({name}, {relation}, {names[tail]})" for tail in several.tolist()]
        what = f"line {line} says that {relation} has one answer, but {name} has {len(several)}: {', '.join(triples)}."
        chinese = f"关系 {relation} 只应有一个值，但 {name} 有 {len(several)} 个"
        yield _conflict("functional", triples, what, "Remove all but one of them.", chinese, "请只保留一个")


def _conflict(kind: str, culprit: Iterable[str], what: str, cure: str, chinese: str, chinese_cure: str) -> Conflict:
    return Conflict(kind, tuple(culprit), {"en": f"{what} {cure}", "zh": f"{chinese}。{chinese_cure}。"})
