"""Propensities, next category and worth on the practice shop: words beside behaviour, RFM, BG/NBD and the share of all."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bench.contract import ROOT, Row
from bench.profile_rows import rows
from shopkeeper.models.cache import CachedEncoder
from shopkeeper.models.static import StaticEncoder
from shopkeeper.practice import Practice, build
from shopkeeper.ranking.customers.deeds import KINDS, frame_of, with_feelings
from shopkeeper.recipes.customers.profile import read_log
from shopkeeper.records import PassageKind
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:  # noqa: ARG001
    """All systems are learnt before the last period of 30 days and measured in it; see `recipes.customers.snapshots`.

    Args:
        data: Not used: the shop is simulated.
        quick: A smaller shop.
        seed: Of the shop and of learning.
    """
    practice = build(seed, products=800, customers=600) if quick else build(seed)
    shelf = Shelf(practice.items)
    encoder = StaticEncoder(threads=1)
    cached = CachedEncoder(encoder, Settings().cache / "vectors" / f"{encoder.name}-bench.vec")
    vectors = cached.encode([item.passage for item in practice.items])
    log = read_log(events(practice), shelf, vectors, lambda texts: cached.encode(texts, "query"), encoder.name)
    return rows(log, seed=seed, plots=None if quick else ROOT / "bench" / "results" / "profile-practice")


def events(practice: Practice) -> pl.DataFrame:
    """The log as the store would give it, with the feelings of reviews."""
    told = [event for event in practice.events if event.kind in KINDS]
    return with_feelings(frame_of(told), [one for one in practice.passages if one.kind is PassageKind.REVIEW])
