"""bm25s with the English Snowball stemmer, over title, brand and description, or over all texts of a product."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import Stemmer

from bench.peers.exchange import DEPTH, Ask, Clock, Product, read_products, write_answer

_TUNED = tuple((k1, b) for k1 in (0.9, 1.5, 2.0) for b in (0.3, 0.75, 0.9))


def main(folder: Path) -> None:
    """Index and answer."""
    products, clock = read_products(folder), Clock()
    with clock:
        default = _asked(products, [product.names for product in products], 1.5, 0.75)
    tuned = {
        f"{field}, k1 {k1}, b {b}": _asked(products, [getattr(product, field) for product in products], k1, b)
        for field in ("names", "whole")
        for k1, b in _TUNED
    }
    systems = {"bm25s, stemmed": {"k1 1.5, b 0.75": default}, "bm25s, stemmed, tuned": tuned}
    write_answer(folder, "bm25s", systems, clock)


def _asked(products: Sequence[Product], texts: Sequence[str], k1: float, b: float) -> Ask:
    stemmer = Stemmer.Stemmer("english")
    ids = [product.id for product in products]
    row = {name: place for place, name in enumerate(ids)}

    def cut(words: Sequence[str]) -> Any:
        return bm25s.tokenize(list(words), stopwords="en", stemmer=stemmer, show_progress=False)

    engine = bm25s.BM25(k1=k1, b=b)
    engine.index(cut(texts), show_progress=False)

    def ask(query: str, among: Sequence[str] | None) -> Sequence[str]:
        weights = None
        if among is not None:
            weights = np.zeros(len(ids), dtype=np.float32)
            weights[[row[name] for name in among]] = 1
        found, scores = engine.retrieve(cut([query]), k=DEPTH, weight_mask=weights, show_progress=False)
        return [ids[place] for place in found[0][scores[0] > 0].tolist()]

    return ask


if __name__ == "__main__":
    main(Path(sys.argv[1]))
