"""Two rankers compared on one page: team-draft interleaving (Radlinski, Kurup and Joachims 2008).

Like captains who pick teams, both rankers in turn put their best item that is not on the page yet; who picks first is drawn
anew each round. The customer sees one page, and clicks count for the ranker that put the item there. Both teams stand
equally high on average, so the bias of places cancels, and far fewer sessions decide than in an A/B test, where each
customer sees one ranker only.

The teams of a page go into the `properties` of its impression: ``{"teams": team_text(teams)}``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.records import Event, EventKind

Ints = NDArray[np.int64]

TEAMS: Final = "teams"
"""Name of the property of an impression that holds `team_text`."""
_LETTERS: Final = "ab"
_CLICKS: Final = (EventKind.CLICK, EventKind.VIEW, EventKind.CART, EventKind.PURCHASE)


@dataclass(frozen=True, slots=True)
class Preference:
    """Which of two rankers customers prefer.

    Attributes:
        share: Share of sessions that the second ranker wins, ties counted half; 0.5 when customers do not care.
        low, high: Its 95 % bootstrap interval over sessions.
        chance: Two-sided sign test over the sessions that are no ties: how likely so uneven a count is by luck alone.
        sessions: How many there were with any click.
        ties: How many of them clicked equally often for both.
    """

    share: float
    low: float
    high: float
    chance: float
    sessions: int
    ties: int

    @property
    def winner(self) -> str:
        """``a``, ``b``, or empty while luck would explain it (`chance` above 5 %)."""
        if not self.sessions or self.chance > 0.05 or self.share == 0.5:
            return ""
        return "b" if self.share > 0.5 else "a"


def team_draft(a: ArrayLike, b: ArrayLike, k: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Interleave two rankings.

    Args:
        a: int (n,), rows as the first ranker orders them, best first, each row once.
        b: int (m,), as the second ranker orders them.
        k: Places of the page.
        rng: Its state decides who picks first in each round.

    Returns:
        Rows of the page, int64 (p,), and who put each there, 0 for a and 1 for b, int64 (p,); p is k, or less when the two
        together hold fewer rows. A row that both would put next belongs to whoever picks first, as luck has it.
    """
    rankings = (np.asarray(a, dtype=np.int64).tolist(), np.asarray(b, dtype=np.int64).tolist())
    rows: list[int] = []
    teams: list[int] = []
    taken: set[int] = set()
    following = [0, 0]
    while len(rows) < k:
        before = len(rows)
        first = int(rng.integers(2))
        for team in (first, 1 - first):
            ranking = rankings[team]
            while following[team] < len(ranking) and ranking[following[team]] in taken:
                following[team] += 1
            if following[team] < len(ranking) and len(rows) < k:
                rows.append(ranking[following[team]])
                teams.append(team)
                taken.add(rows[-1])
        if len(rows) == before:
            break
    return np.array(rows, dtype=np.int64), np.array(teams, dtype=np.int64)


def team_text(teams: Iterable[int]) -> str:
    """Teams of a page as one letter a place, for the log.

    >>> team_text([0, 1, 1, 0])
    'abba'
    """
    return "".join(_LETTERS[team] for team in teams)


def earned_clicks(events: Iterable[Event]) -> Ints:
    """Clicks that each ranker earned in each session of an interleaved comparison.

    Args:
        events: A log in any order; impressions without teams and clicks without their request do not count. An item counts
            once a session and page.

    Returns:
        int64 (sessions with any click, 2), ordered by session.
    """
    page: dict[str, tuple[str, dict[str, int]]] = {}
    clicked: dict[str, set[str]] = {}
    for event in events:
        if event.kind is EventKind.IMPRESSION and event.impression is not None:
            teams = str(event.properties.get(TEAMS, ""))
            if len(teams) == len(event.impression.items) and set(teams) <= set(_LETTERS):
                owner = dict(zip(event.impression.items, map(_LETTERS.index, teams), strict=True))
                page[event.request] = (event.session or event.request, owner)
        elif event.kind in _CLICKS and event.request and event.item:
            clicked.setdefault(event.request, set()).add(event.item)
    earned: dict[str, list[int]] = {}
    for request, items in clicked.items():
        session, owner = page.get(request, ("", {}))
        for team in (owner[item] for item in items if item in owner):
            earned.setdefault(session, [0, 0])[team] += 1
    return np.array([earned[session] for session in sorted(earned)], dtype=np.int64).reshape(-1, 2)


def preference(clicks: ArrayLike, *, seed: int = 0) -> Preference:
    """Which ranker wins more sessions.

    Args:
        clicks: int (n, 2), clicks on what a and what b put on the page, one row a session; rows without any are left out.
        seed: Of the bootstrap.

    >>> preference([[0, 1]] * 12 + [[1, 0]] * 2 + [[1, 1]]).winner
    'b'
    """
    table = np.asarray(clicks, dtype=np.float64).reshape(-1, 2)
    table = table[table.sum(axis=1) > 0]
    won = np.where(table[:, 0] == table[:, 1], 0.5, table[:, 1] > table[:, 0]).astype(np.float64)
    if not len(won):
        return Preference(0.5, 0.0, 1.0, 1.0, 0, 0)
    ties, wins = int((won == 0.5).sum()), int((won == 1).sum())
    decided = len(won) - ties
    chance = float(binomtest(wins, decided).pvalue) if decided else 1.0
    low, high = bootstrap_interval(won, seed=seed)
    return Preference(float(won.mean()), low, high, chance, len(won), ties)
