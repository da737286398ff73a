"""Hard negatives: items that look like an answer to a query and are none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from shopkeeper.models.text import Encoder
from shopkeeper.recipes.search.pairs import Answers, Pair

_COMMON = 200  # items looked at for a word that many hold
_FROM, _TO = 2, 40  # ranks among which a mined negative is drawn
_TOO_CLOSE = 0.97  # a candidate this near to the right answer's score is probably right as well


def near_misses(pairs: Sequence[Pair], answers: Answers, rng: np.random.Generator) -> list[str | None]:
    """For each pair an item that shares a word with the query but does not answer it; None where there is none.

    Costs no encoding. Words that few items hold are tried first.
    """
    holders: dict[str, list[str]] = defaultdict(list)
    for item, held in answers.words.items():
        for word in held:
            holders[word].append(item)
    return [_near_miss(pair, answers, holders, rng) for pair in pairs]


def _near_miss(pair: Pair, answers: Answers, holders: dict[str, list[str]], rng: np.random.Generator) -> str | None:
    for word in sorted(answers.query_words(pair.query), key=lambda word: (len(holders.get(word, ())), word)):
        sharing = holders.get(word, [])
        for place in rng.permutation(len(sharing))[:_COMMON]:
            candidate = sharing[int(place)]
            if not answers.holds(pair.query, candidate):
                return candidate
    return None


def mined(
    pairs: Sequence[Pair],
    answers: Answers,
    encoder: Encoder,
    items: Sequence[str],
    texts: Sequence[str],
    rng: np.random.Generator,
) -> list[str | None]:
    """For each pair an item that the encoder, as it stands, ranks high for the query although it does not answer it.

    Args:
        pairs: Queries and right items.
        answers: Keeps right answers out.
        encoder: Whose mistakes to look for.
        items: Ids among which to look.
        texts: Their texts, in the same order.
        rng: Draws one of the high ranks.
    """
    passages = encoder.encode(texts)
    place = {item: row for row, item in enumerate(items)}
    queries = list(dict.fromkeys(pair.query for pair in pairs))
    vectors = dict(zip(queries, encoder.encode(queries, side="query"), strict=True))
    found: list[str | None] = []
    for pair in pairs:
        scores = passages @ vectors[pair.query]
        own = scores[place[pair.item]] if pair.item in place else np.inf
        top = np.argpartition(-scores, min(_TO, len(scores) - 1))[:_TO]
        ranked = [row for row in top[np.argsort(-scores[top], kind="stable")][_FROM:] if scores[row] < _TOO_CLOSE * own]
        choice = [items[row] for row in ranked if not answers.holds(pair.query, items[row])]
        found.append(choice[int(rng.integers(len(choice)))] if choice else None)
    return found
