"""What moves items for other reasons than taste: the shop's rules, the words of the request, and what lies in the basket.

Pushes are counted in deviations of the customer's best hundred scores, so that one weight suits a ranker's margins, a blend's
sums and the standing of items alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from shopkeeper.records import Customer, EventKind, Reason, Request
from shopkeeper.retrieval.collaborative import Neighbours
from shopkeeper.retrieval.histories import Floats
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.tasks.recommend.people import Person, person
from shopkeeper.trust.logic import Facts, Logic, LogicResult
from shopkeeper.trust.reasons import asked, because

Relevance = Callable[[str], tuple[Rows, Floats]]
"""Words -> rows that answer them and how well, float32 in [0, 1]."""

BASKET = ("basket", "checkout", "thanks")
"""Surfaces on which what goes with the items in focus counts more than what is like them."""
_ASKED, _GOES_WITH = 3.0, 3.0
"""Deviations that the best answer to the words, and the best complement, are lifted by."""


@dataclass(frozen=True, slots=True)
class Push:
    """What one request gains and loses beside taste.

    Attributes:
        amounts: ``rule``, ``asked``, ``goes_with`` to float32 (rows,), in deviations; only what is there.
        vetoed: int64 (v,), rows that a rule forbids.
        fired: What the rules said.
        behind: For ``goes_with``: row to the row of the basket that it goes with.
    """

    amounts: Mapping[str, Floats] = field(default_factory=dict)
    vetoed: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    fired: LogicResult | None = None
    behind: Mapping[int, int] = field(default_factory=dict)

    @property
    def total(self) -> Floats | None:
        """All amounts together, float32 (rows,); None where nothing is pushed."""
        return np.sum(list(self.amounts.values()), axis=0, dtype=np.float32) if self.amounts else None

    def reasons(self, row: int, who: Person, shelf: Shelf) -> tuple[Reason, ...]:
        """Why a row was lifted, rules first."""
        lifted = {name for name, amounts in self.amounts.items() if amounts[row] > 0}
        found: list[Reason] = []
        if self.fired is not None and "rule" in lifted:
            found += self.fired.reasons(row)[:1]
        if "asked" in lifted:
            found.append(asked(who.request.query))
        if (behind := self.behind.get(row)) is not None:
            found.append(because("complements", who.deed(behind, shelf)))
        return tuple(found)


class Pusher:
    """Works out the push of a request.

    Args:
        shelf: The items.
        logic: The shop's rules over its knowledge graph; None without any.
        relevance: Understands the words of a request; None leaves them out.
        customer: Attributes that rules may speak of.
        bought: All that a customer bought.
    """

    def __init__(
        self,
        shelf: Shelf,
        *,
        logic: Logic | None = None,
        relevance: Relevance | None = None,
        customer: Callable[[str], Customer | None] = lambda _: None,
        bought: Callable[[str], Iterable[str]] = lambda _: (),
    ) -> None:
        self._shelf = shelf
        self._logic = logic
        self._relevance = relevance
        self._customer = customer
        self._bought = bought

    def push(self, who: Person, width: int, complements: Neighbours | None) -> Push:
        """What is pushed for somebody: arrays of `width` rows."""
        amounts: dict[str, Floats] = {}
        fired, vetoed = None, np.zeros(0, dtype=np.int64)
        behind: dict[int, int] = {}
        if self._logic is not None:
            fired = self._logic.apply(self._facts(who))
            vetoed = fired.vetoed[fired.vetoed < width]
            every = np.arange(width, dtype=np.int64)
            ruled = fired.boosts(every)
            inside = fired.rows < width
            ruled[fired.rows[inside]] += fired.weights[inside]
            if ruled.any():
                amounts["rule"] = ruled
        if self._relevance is not None and (words := who.request.query.strip()):
            rows, fit = self._relevance(words)
            answers = np.zeros(width, dtype=np.float32)
            answers[rows[rows < width]] = np.float32(_ASKED) * fit[rows < width]
            if answers.any():
                amounts["asked"] = answers
        if complements is not None and who.request.surface in BASKET and len(who.focus):
            best, behind = _completing(complements, who.focus, width)
            if (top := float(best.max(initial=0.0))) > 0:
                amounts["goes_with"] = np.float32(_GOES_WITH / top) * best
        return Push(amounts, vetoed, fired, behind)

    def vetoed(self, request: Request) -> Rows:
        """Rows that a rule forbids whoever asks, by what is known of the customer: int64 (v,)."""
        if self._logic is None:
            return np.zeros(0, dtype=np.int64)
        return self._logic.vetoed(self._facts(person(request, (), self._shelf)))

    def _facts(self, who: Person) -> Facts:
        name, shelf = who.request.customer, self._shelf
        known = self._customer(name) if name else None
        seen = [row for row, (_, kind) in who.deeds.items() if kind in (EventKind.VIEW, EventKind.CLICK)]
        bought = shelf.rows(self._bought(name)) if name else np.zeros(0, dtype=np.int64)
        session = [row for row, (_, kind) in who.deeds.items() if kind == EventKind.PURCHASE]
        return Facts(
            bought=np.unique(np.concatenate([bought, np.array(session, dtype=np.int64)])),
            viewed=np.unique(np.array(seen, dtype=np.int64)),
            basket=np.unique(who.focus),
            customer={} if known is None else dict(known.attributes),
        )


def _completing(complements: Neighbours, focus: Rows, width: int) -> tuple[Floats, dict[int, int]]:
    """How well each row goes with what is in focus, float32 (width,), and with which of it."""
    best = np.zeros(width, dtype=np.float32)
    behind: dict[int, int] = {}
    for row in focus[focus < complements.matrix.shape[0]].tolist():
        own = complements.matrix[[row]]
        better = own.data > best[own.indices]
        rows, amounts = own.indices[better], own.data[better]
        best[rows] = amounts
        behind |= dict.fromkeys(rows.tolist(), row)
    return best, behind
