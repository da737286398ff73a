"""Pairs of phrases that may mean the same, found in clicks and in vectors, for a human to judge.

Nothing found here is used before it was approved; see `synonyms.approved`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import scipy.sparse as sp

from shopkeeper.models.text import Encoder
from shopkeeper.records import Decision, EventKind
from shopkeeper.retrieval.analysis import terms, words
from shopkeeper.retrieval.understanding.synonyms import TASK, YES
from shopkeeper.store.protocols import Changes, Store

_REACTIONS = (EventKind.CLICK, EventKind.CART, EventKind.PURCHASE)
_CLICKS, _SHARED, _COSINE = 5, 2, 0.5
"""A query must have so many clicks, a pair so many clicked items in common and so much alike."""
_NEAR = 0.8
_QUERIES = 5_000
_LONGEST = 90


@dataclass(frozen=True, slots=True)
class Proposal:
    """Two phrases that may mean the same.

    Attributes:
        left: The phrase that comes first in order of characters.
        right: The other one.
        score: In [0, 1], how alike they are.
        evidence: What a human reads beside them.
    """

    left: str
    right: str
    score: float
    evidence: str


def from_clicks(clicks: Iterable[tuple[str, str]]) -> list[Proposal]:
    """Queries whose clicks go to the same items, reduced to the words in which they differ; the surest first.

    Cosine of the queries' clicks over items, an item weighing less the more queries lead to it.

    Args:
        clicks: (query, item) of each click.
    """
    counts: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for query, item in clicks:
        counts[query][item] += 1
    queries = sorted(query for query, items in counts.items() if query and sum(items.values()) >= _CLICKS)
    if len(queries) < 2:
        return []
    column = {item: number for number, item in enumerate(sorted({item for query in queries for item in counts[query]}))}
    rows, columns, values = zip(
        *((row, column[item], count) for row, query in enumerate(queries) for item, count in counts[query].items()),
        strict=True,
    )
    matrix = sp.csr_array((np.array(values, dtype=np.float64), (rows, columns)), shape=(len(queries), len(column)))
    shown = sp.csr_array(matrix > 0).astype(np.float64)
    rare = np.log(1 + len(queries) / shown.sum(axis=0))
    weighted = sp.csr_array(matrix.log1p() * rare)
    norms = np.sqrt(weighted.power(2).sum(axis=1))
    alike = sp.triu(weighted @ weighted.T, k=1).tocoo()
    both = sp.csr_array(shown @ shown.T)
    found: dict[tuple[str, str], Proposal] = {}
    for a, b, dot in zip(alike.row.tolist(), alike.col.tolist(), alike.data.tolist(), strict=True):
        cosine, shared = dot / (norms[a] * norms[b]), int(both[a, b])
        pair = differing(queries[a], queries[b])
        if cosine < _COSINE or shared < _SHARED or pair is None:
            continue
        evidence = f"“{queries[a]}” / “{queries[b]}”: {shared} clicked items in common 共同点击商品 {shared}"
        if pair not in found or cosine > found[pair].score:
            found[pair] = Proposal(*pair, min(1.0, cosine), evidence)
    return sorted(found.values(), key=lambda proposal: (-proposal.score, proposal.left, proposal.right))


def from_vectors(phrases: Sequence[str], encoder: Encoder) -> list[Proposal]:
    """Phrases that an encoder takes to be near in meaning, reduced to the words in which they differ; the nearest first."""
    if not phrases:
        return []
    vectors = encoder.encode(phrases, side="query")
    found: dict[tuple[str, str], Proposal] = {}
    for row in range(len(phrases) - 1):
        near = vectors[row + 1 :] @ vectors[row]
        for other in (row + 1 + np.flatnonzero(near >= _NEAR)).tolist():
            pair = differing(phrases[row], phrases[other])
            cosine = min(1.0, float(near[other - row - 1]))
            if pair is not None and (pair not in found or cosine > found[pair].score):
                evidence = f"“{phrases[row]}” / “{phrases[other]}”: near in meaning 意思相近 {cosine:.2f}"
                found[pair] = Proposal(*pair, cosine, evidence)
    return sorted(found.values(), key=lambda proposal: (-proposal.score, proposal.left, proposal.right))


def propose(store: Store, encoder: Encoder | None = None, most: int = 200) -> Changes:
    """Put pairs from the log into the review queue, in place of those that waited; what was decided is not asked again.

    Only queries of at least two customers or sessions are looked at. Pairs from clicks come before pairs from vectors.

    Args:
        store: Events and the queue.
        encoder: Finds pairs by meaning too; None for clicks alone.
        most: How many pairs.
    """
    clicks, asked = _clicks(store)
    proposals = from_clicks(clicks)
    if encoder is not None:
        known = {(proposal.left, proposal.right) for proposal in proposals}
        more = from_vectors(asked[:_QUERIES], encoder)
        proposals += [proposal for proposal in more if (proposal.left, proposal.right) not in known]
    decided = {decision.subject for decision in store.labels.decided(TASK)}
    subjects = {f"{proposal.left}|{proposal.right}": proposal for proposal in proposals}
    fresh = [(subject, proposal) for subject, proposal in subjects.items() if subject not in decided][:most]
    store.labels.withdraw(TASK)
    return store.labels.propose(
        Decision(
            task=TASK,
            subject=subject,
            text=f"{proposal.left} = {proposal.right}? {proposal.evidence}",
            proposal=YES,
            score=proposal.score,
        )
        for subject, proposal in fresh
    )


def differing(one: str, other: str) -> tuple[str, str] | None:
    """The words in which two phrases differ, in order of characters; None where one merely says more, or both the same.

    >>> differing("red sneakers", "red trainers")
    ('sneakers', 'trainers')
    >>> differing("red shoes", "shoes") is None, differing("laptop", "laptops") is None
    (True, True)
    """
    left, right = _without(one, other), _without(other, one)
    if not left or not right or "|" in left + right or max(len(left), len(right)) > _LONGEST:
        return None
    return (left, right) if left < right else (right, left)


def _without(one: str, other: str) -> str:
    known = set(terms(other))
    new = [word for term, word in words(one) if term not in known]
    kept = [word for word in new if not any(word != longer and word in longer for longer in new)]
    return ("" if any("\u3400" <= letter <= "\u9fff" for letter in "".join(kept)) else " ").join(dict.fromkeys(kept))


def _clicks(store: Store) -> tuple[list[tuple[str, str]], list[str]]:
    """(query, item) of every reaction to a search, and the queries, the most asked first; a reaction counts once a visitor."""
    kinds = [kind.value for kind in _REACTIONS]
    frame = store.events.frame(kinds=[EventKind.SEARCH, EventKind.IMPRESSION, *_REACTIONS]).with_columns(
        pl.col("query").fill_null("").str.to_lowercase().str.strip_chars().str.replace_all(r"\s+", " "),
        pl.when(pl.col("customer") != "").then("customer").otherwise("session").alias("asker"),
    )
    answered = (
        frame.filter((pl.col("query") != "") & (pl.col("request") != ""))
        .group_by("request")
        .agg(pl.col("query").first().alias("asked"))
    )
    tied = frame.join(answered, on="request", how="left", maintain_order="left").with_columns(
        pl.when(pl.col("query") != "").then("query").otherwise(pl.col("asked").fill_null("")).alias("asked")
    )
    several = (
        tied.filter(pl.col("asked") != "")
        .group_by("asked")
        .agg(pl.col("asker").n_unique().alias("askers"))
        .filter(pl.col("askers") >= 2)
        .sort("askers", "asked", descending=[True, False])
    )
    clicks = (
        tied.filter(pl.col("kind").is_in(kinds) & (pl.col("item") != ""))
        .join(several, on="asked", how="semi")
        .select("asked", "item", "asker")
        .unique(maintain_order=True)
    )
    return list(clicks.select("asked", "item").iter_rows()), several["asked"].to_list()
