"""How hard the practice shop is: popularity, co-purchase, BM25 and zero-shot vectors against the truth and its ceiling.

Run as ``python -m bench.practice_check [--seed N] [--no-models]``. It tunes nothing: it shows how much room is left.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence

import bm25s
import numpy as np
from numpy.typing import NDArray

from shopkeeper.practice import Practice, build
from shopkeeper.practice.shopfront import tokens
from shopkeeper.records import Event, EventKind

Scorer = Callable[[str], NDArray[np.float64]]


def ndcg(scores: NDArray[np.float64], gains: NDArray[np.float64], k: int = 10) -> float:
    """nDCG@k with gains 2^grade - 1 over the full catalogue."""
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    top = np.argsort(-scores, kind="stable")[:k]
    ideal = np.sort(gains)[::-1][:k]
    return float((gains[top] * discount).sum() / (ideal * discount).sum())


def search(practice: Practice, scorer: Scorer) -> dict[str, float]:
    """Mean nDCG@10 per split and language, and over all."""
    row = {item.id: number for number, item in enumerate(practice.items)}
    found: dict[str, list[float]] = defaultdict(list)
    for query in practice.truth.queries:
        gains = np.zeros(len(row))
        for item, grade in practice.truth.relevance(query.id).items():
            gains[row[item]] = 2.0**grade - 1.0
        value = ndcg(scorer(query.text), gains)
        for key in (f"{query.split}/{query.language}", "all"):
            found[key].append(value)
    return {key: float(np.mean(values)) for key, values in found.items()}


def lexical(practice: Practice) -> Scorer:
    """BM25 over the whole item text: English words, Chinese character pairs."""
    index = bm25s.BM25()
    index.index([tokens(item.text) or ["-"] for item in practice.items], show_progress=False)
    known = set(index.vocab_dict)

    def score(query: str) -> NDArray[np.float64]:
        words = [token for token in tokens(query) if token in known]
        return np.asarray(index.get_scores(words), dtype=np.float64) if words else np.zeros(len(practice.items))

    return score


def vectors(practice: Practice, encode: Callable[[Sequence[str]], NDArray[np.float32]]) -> Scorer:
    """Cosine of zero-shot vectors."""
    matrix = encode([item.text for item in practice.items])
    texts = [query.text for query in practice.truth.queries]
    vector = dict(zip(texts, encode(texts), strict=True))
    return lambda query: np.asarray(matrix @ vector[query], dtype=np.float64)


def purchases(practice: Practice) -> dict[str, float]:
    """Recall@10 of the next purchase after the cut: popularity, popularity in the language, co-purchase, the ceiling."""
    row = {item.id: number for number, item in enumerate(practice.items)}
    language = {customer.id: customer.language for customer in practice.customers}
    foreign = {tag: np.array([item.language != tag for item in practice.items]) * 1e6 for tag in ("en", "zh")}
    past: dict[str, list[int]] = defaultdict(list)
    weight = np.zeros(len(row))
    together = np.zeros((len(row), len(row)), dtype=np.float32)
    following: dict[str, Event] = {}
    for event in practice.events:
        if event.kind not in (EventKind.PURCHASE, EventKind.VIEW):
            continue
        if event.time < practice.cut:
            here = row[event.item]
            weight[here] += 3.0 if event.kind is EventKind.PURCHASE else 1.0
            for other in past[event.customer][-10:]:
                together[other, here] += 1.0
                together[here, other] += 1.0
            past[event.customer].append(here)
        elif event.kind is EventKind.PURCHASE:
            following.setdefault(event.customer, event)
    norm = np.sqrt(weight + 5.0)
    hits: dict[str, list[float]] = defaultdict(list)
    ids = [item.id for item in practice.items]
    for customer, event in following.items():
        popular = weight - foreign[language[customer]]
        near = np.zeros(len(row))
        for age, here in enumerate(reversed(past[customer][-20:])):
            near += 0.9**age * together[here] / (norm * norm[here])
        scores = {
            "popularity": weight,
            "popularity in the language": popular,
            "co-occurrence": near + 1e-6 * popular,
            "true purchase probability (ceiling without context)": practice.truth.purchase_probability(
                customer, ids, event.time
            ),
        }
        for name, values in scores.items():
            hits[name].append(float(row[event.item] in np.argpartition(-values, 10)[:10]))
    return {f"{name} (n={len(values)})": float(np.mean(values)) for name, values in hits.items()}


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--no-models", action="store_true", help="only what needs no encoder")
    options = parser.parse_args()
    practice = build(options.seed)
    for name, value in purchases(practice).items():
        print(f"recall@10 next purchase  {name:70} {value:.4f}")
    systems: dict[str, Scorer] = {"bm25": lexical(practice)}
    if not options.no_models:
        systems |= _zero_shot(practice)
    for name, scorer in systems.items():
        figures = "  ".join(f"{key} {value:.3f}" for key, value in search(practice, scorer).items())
        print(f"ndcg@10 {name:18} {figures}")


def _zero_shot(practice: Practice) -> dict[str, Scorer]:
    from shopkeeper.models.backbones import load_backbone
    from shopkeeper.models.encoders import TorchEncoder
    from shopkeeper.models.static import StaticEncoder
    from shopkeeper.settings import load

    settings = load()
    minilm = TorchEncoder(load_backbone("minilm", settings))
    static = StaticEncoder()
    return {"minilm": vectors(practice, minilm.encode), "use-multilingual": vectors(practice, static.encode)}


if __name__ == "__main__":
    main()
