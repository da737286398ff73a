"""Why each hit of a page is there: reasons whose evidence carries the score, and what every source and feature adds to it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from shopkeeper.records import Reason
from shopkeeper.retrieval.analysis import words as spelt
from shopkeeper.retrieval.graph.neighbours import GraphNeighbours
from shopkeeper.retrieval.graph.paths import paths
from shopkeeper.retrieval.histories import Floats
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.retrieval.text_neighbours import WordNeighbours
from shopkeeper.tasks.recommend.behaviour import STANDING, Behaviour
from shopkeeper.tasks.recommend.ordering import Judged, contributions, effects
from shopkeeper.tasks.recommend.people import Person
from shopkeeper.tasks.recommend.pushing import Push
from shopkeeper.trust.reasons import because, carriers, met, plain

Why = tuple[tuple[Reason, ...], Mapping[str, float]]
"""Reasons of a hit, the heaviest first, and its contributions, which add up to its score."""

_REASONS, _SLIGHT = 2, 0.3
"""Reasons of a hit at most, and the least share of the heaviest one that is still told."""


class Explainer:
    """Explains pages of customers of whom something is known.

    Args:
        shelf: The items.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def why(
        self,
        person: Person,
        push: Push,
        behaviour: Behaviour,
        scores: Floats,
        page: Rows,
        judged: Judged | None,
        pushed: Floats | None,
    ) -> list[Why]:
        """Explain every hit of a page.

        Args:
            person: Whose page it is.
            push: What moved items beside taste.
            behaviour: As it was asked.
            scores: float32 (k,), of the rows shown.
            page: int64 (k,), rows shown.
            judged: What the ranker said of this person's candidates; None where the blend decided.
            pushed: float32 (k,), what the push added to the scores.
        """
        if judged is None:
            held = self._carried(person, behaviour, scores if pushed is None else scores - pushed, page)
        else:
            held = self._tried(person, behaviour, judged, page)
        found: list[Why] = []
        for place, ((reasons, parts), row) in enumerate(zip(held, page.tolist(), strict=True)):
            told = (*push.reasons(row, person, self._shelf), *reasons)[:_REASONS]
            if pushed is not None and push.amounts:
                whole = sum(float(amounts[row]) for amounts in push.amounts.values())
                unit = float(pushed[place]) / whole if whole else 0.0
                lifts = {name: unit * float(amounts[row]) for name, amounts in push.amounts.items() if amounts[row]}
                parts = {**parts, **lifts}
            found.append((told or (plain("explore"),), parts))
        return found

    def _tried(self, person: Person, behaviour: Behaviour, judged: Judged, page: Rows) -> list[Why]:
        """Under a ranker: by leaving items of the history out."""
        shelf = self._shelf
        tried, falls = effects(behaviour, person.history, person.trail, shelf, judged, page)
        standing = behaviour.standing("popular", len(shelf)) + behaviour.standing("new", len(shelf))
        carried = behaviour.carried(person.history, person.trail, page, len(shelf))
        found: list[Why] = []
        for place, row in enumerate(page.tolist()):
            fall = falls[:, place]
            told: list[Reason] = []
            for number in np.argsort(-fall, kind="stable")[:_REASONS].tolist():
                if fall[number] <= 0 or (told and fall[number] < _SLIGHT * fall.max()):
                    break
                entry = int(tried[number])
                amounts = {name: float(part[entry, place]) for name, part in carried.items() if name not in STANDING}
                source = max(amounts, key=lambda name: amounts[name]) if amounts else ""
                source = source if amounts.get(source, 0) > 0 else "next"
                told.append(self._because(source, int(person.history.rows[entry]), row, behaviour, person))
            if not told:
                told.append(plain("popular" if standing[row] > 0 else "explore"))
            found.append((tuple(told), contributions(behaviour, judged, row)))
        return found

    def _carried(self, person: Person, behaviour: Behaviour, scores: Floats, page: Rows) -> list[Why]:
        """Under a blend: the parts of the sum; the sequence model, which no item carries alone, has the rest."""
        carried = behaviour.carried(person.history, person.trail, page, len(self._shelf))
        found: list[Why] = []
        for place, row in enumerate(page.tolist()):
            reasons = tuple(
                plain(part.source)
                if part.entry is None
                else self._because(part.source, int(person.history.rows[part.entry]), row, behaviour, person)
                for part in carriers(carried, place, standing=STANDING, count=_REASONS)
            )
            shares = {source: float(amounts[:, place].sum()) for source, amounts in carried.items()}
            if behaviour.next is not None and "next" in behaviour.parameters.blend.active:
                shares["next"] = float(scores[place]) - sum(shares.values())
            found.append((reasons, shares))
        return found

    def _because(self, source: str, behind: int, row: int, behaviour: Behaviour, person: Person) -> Reason:
        deed = person.deed(behind, self._shelf)
        asked = behaviour.sources.get(source)
        if isinstance(asked, WordNeighbours):
            written = dict(spelt(self._shelf.item(row).text))
            return because(source, deed, [written.get(term, term) for term in asked.shared(behind, row)])
        if isinstance(asked, GraphNeighbours) and (found := paths(asked, behind, row, most=1)):
            return met(deed, found[0].text, (found[0].evidence,))
        return because(source, deed)


def greeting(fresh: float, score: float, *, explored: bool) -> tuple[Reason, ...]:
    """Why a stranger sees an item."""
    if fresh > score / 2 and fresh > 0:
        return (plain("new"),)
    return (plain("explore" if explored else "popular"),)
