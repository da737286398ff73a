"""Visitors who are probably programs, scrapers or paid clickers: found without labels, better with what humans decided.

Without labels the score is the mean of three tail probabilities, each as a share of the greatest possible: the strongest of four
suspicions (going like clockwork, copying, pushing an item, clicking ads away), each a sum of the log tails of its features;
the sum over all features (ECOD, upper tails only: Li et al. 2022, "ECOD: unsupervised outlier detection using empirical
cumulative distribution functions"); and an isolation forest. With labels its tail is averaged with that of boosted trees,
which weigh the more, the more answers there are. Rules name what is plain, and only they flag without a human.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from shopkeeper.progress import span
from shopkeeper.ranking.visits.visitors import NAMES, Traces, traces
from shopkeeper.ranking.visits.visits import Floats, Visits, visits
from shopkeeper.records import Decision, Event, EventKind, now
from shopkeeper.store.protocols import Changes, Labels, Store

TASK = "visitor"
"""Name of the question in the review queue; subjects are visitors."""
ROBOT, PERSON = "robot", "person"
"""The two answers."""
_LEAST_LABELS = 8
"""Answers of each sort that are needed to learn from them."""
_HALF = 30.0
"""Answers of the rarer sort at which they weigh as much as what is found without them."""
_ASKED = 200
_SAMPLE = 20_000
_COLUMN: Final = {name: column for column, name in enumerate(NAMES)}
SUSPICIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "clockwork": ("rate", "regular", "monotone", "returns"),
    "copying": ("distinct", "shelves", "bare", "unshown"),
    "pushing": ("repeats", "hoarding"),
    "clicking": ("ad_clicks", "one_campaign"),
}
"""What a visitor may be suspected of, and the features that say so."""
_NAMED: Final[Mapping[str, tuple[str, str]]] = {
    "clockwork": ("goes like clockwork", "操作像机器"),
    "copying": ("looks at very much of the catalogue", "浏览了异常多的商品"),
    "pushing": ("comes back to one item again and again", "反复操作同一商品"),
    "clicking": ("clicks ads more than others", "点击广告异常多"),
}
_TREES: Final[Mapping[str, object]] = {
    "objective": "binary", "num_leaves": 7, "learning_rate": 0.06, "min_data_in_leaf": 5, "feature_fraction": 0.5,
    "bagging_fraction": 0.8, "bagging_freq": 1, "num_threads": 1, "deterministic": True, "verbose": -1,
}  # fmt: skip
_ROUNDS = 80


@dataclass(frozen=True, slots=True)
class _Rule:
    """What is plain: every named feature reaches its value."""

    least: Mapping[str, float]
    text: tuple[str, str]
    shown: Callable[[float], float] = float


_RULES: Final[Mapping[str, _Rule]] = {
    "clockwork": _Rule({"regular": 0.6}, ("pauses as even as a clock's", "操作间隔像钟表一样均匀")),
    "monotone": _Rule({"monotone": 0.45}, ("pauses nearly all of one length", "操作间隔几乎一样长")),
    "returning": _Rule({"returns": 0.45}, ("comes back after the same time again and again", "每隔相同时间就来一次")),
    "bare": _Rule({"bare": 0.5, "unshown": 0.4}, ("opens items that nothing led to", "打开的商品没有任何入口")),
    "shelves": _Rule({"shelves": float(np.log1p(40))}, ("has seen whole shelves: {value:.0f} items", "看遍整个类目：{value:.0f}件"),
                     lambda value: float(np.expm1(value))),
    "hoarding": _Rule({"hoarding": float(np.log1p(5)), "repeats": float(np.log1p(4))},
                      ("put one item into the basket {value:.0f} times and never bought it", "同一商品加购{value:.0f}次却从不购买"),
                      lambda value: float(np.expm1(value))),
    "clicking": _Rule({"ad_clicks": 3.0, "one_campaign": float(np.log1p(4))},
                      ("clicks ads that others do not: chance of that 1 in 10^{value:.0f}", "广告点击异常，偶然概率为10的负{value:.0f}次方")),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suspect:
    """A visitor to look at.

    Attributes:
        visitor: See `ranking.visits.visits.Visits.names`.
        score: In [0, 1].
        rules: What is plain about them; empty where only the score speaks.
        text: Why, by language.
        sessions: The sessions in which they were not logged in.
    """

    visitor: str
    score: float
    rules: tuple[str, ...]
    text: Mapping[str, str]
    sessions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Findings:
    """All n visitors judged.

    Attributes:
        traces: Their features.
        score: float64 (n,), in [0, 1].
        suspicions: float64 (n, 4), how far up each is in `SUSPICIONS`, from 0 to log n.
        suspects: Those with a rule, and the 200 with the highest score; highest first.
    """

    traces: Traces
    score: Floats
    suspicions: Floats
    suspects: list[Suspect]


@dataclass(frozen=True, slots=True)
class Refund:
    """A click that an advertiser should not have paid for.

    Attributes:
        click: Id of the event.
        amount: What was charged, in the campaign's currency.
    """

    campaign: str
    click: str
    amount: float
    time: datetime


@dataclass(frozen=True, slots=True)
class VisitorCheck:
    """What was found among the visitors of a shop.

    Attributes:
        findings: See `check`.
        decided: What humans said, see `answers`.
        flagged: See `flagged`.
        refunds: Ad clicks of those flagged, see `refunds`.
    """

    findings: Findings
    decided: Mapping[str, str]
    flagged: frozenset[str]
    refunds: list[Refund]

    def flags(self, suspect: Suspect) -> bool:
        """Is what a suspect did left out of what the shop learns?"""
        return _flagged(suspect, self.decided, 1.0)


def check_visitors(store: Store, days: float = 30, seed: int = 7) -> VisitorCheck:
    """Look at everybody who came to a shop lately; nothing is written.

    Args:
        store: Events, the catalogue and decisions.
        days: How far back.
        seed: Of the isolation forest.
    """
    start = now() - timedelta(days=days)
    log = visits(event for _, event in store.events.scan(start=start))
    decided = answers(store.labels)
    found = check(log, {item.id: item.category for item in store.catalogue.scan()}, decided, seed=seed)
    names = flagged(found, decided)
    clicks = store.events.scan(kinds=[EventKind.AD_CLICK], start=start)
    return VisitorCheck(found, decided, names, refunds((event for _, event in clicks), names))


def check(
    log: Visits, shelves: Mapping[str, tuple[str, ...]], decided: Mapping[str, str] | None = None, *, seed: int = 7
) -> Findings:
    """Judge every visitor of a log.

    Args:
        log: See `ranking.visits.visits.visits`; some weeks are enough.
        shelves: Item id to its category path.
        decided: Visitor to `ROBOT` or `PERSON`; see `answers`.
        seed: Of the isolation forest.
    """
    with span("judge visitors", 3, "steps") as progress:
        found = traces(log, shelves)
        progress.advance()
        tails = upper_tails(found.table)
        groups = [tails[:, [_COLUMN[name] for name in names]].sum(axis=1) for names in SUSPICIONS.values()]
        suspicions = upper_tails(np.stack(groups, axis=1))
        score = _unlabelled(tails, suspicions, seed)
        progress.advance()
        score = _with_answers(score, found, tails, decided or {}, seed)
        progress.advance()
    hit = {name: _holds(rule, found.table) for name, rule in _RULES.items()}
    plain = np.any(list(hit.values()), axis=0) if len(score) else np.zeros(0, dtype=np.bool_)
    asked = plain.copy()
    asked[np.argsort(-score, kind="stable")[:_ASKED]] = True
    suspects = [_suspect(row, found, score, suspicions, hit, log) for row in np.flatnonzero(asked).tolist()]
    suspects.sort(key=lambda suspect: -suspect.score)
    return Findings(found, score, suspicions, suspects)


def upper_tails(table: Floats) -> Floats:
    """Minus the log of how many rows are as high: float64 (n, f), from 0 for the lowest to log n."""
    count = len(table)
    below = [np.searchsorted(np.sort(column), column, side="left") for column in table.T]
    return np.asarray(-np.log((count - np.stack(below, axis=1)) / count)) if count else table


def answers(labels: Labels) -> dict[str, str]:
    """What humans decided about visitors."""
    return {decision.subject: decision.label for decision in labels.decided(TASK)}


def propose(labels: Labels, findings: Findings) -> Changes:
    """Put the suspects into the review queue; who was decided about already is not asked about again."""
    return labels.propose(_questions(findings))


def flagged(findings: Findings, decided: Mapping[str, str] | None = None, *, least: float = 1.0) -> frozenset[str]:
    """Whose events `store.trusted.Trusted` should leave out.

    Args:
        findings: See `check`.
        decided: See `answers`; a human's word counts more than any rule.
        least: Also without a rule from this score on; 1 takes rules and humans only.

    Returns:
        Customers' ids, and ``session:`` and a session for those who were not logged in.
    """
    said = decided or {}
    names: set[str] = set()
    for suspect in findings.suspects:
        if _flagged(suspect, said, least):
            names |= {f"session:{session}" for session in suspect.sessions}
            names |= set() if suspect.visitor.startswith(("device:", "session:")) else {suspect.visitor}
    return frozenset(names)


def _flagged(suspect: Suspect, said: Mapping[str, str], least: float) -> bool:
    label = said.get(suspect.visitor)
    return label == ROBOT or (label != PERSON and (bool(suspect.rules) or suspect.score >= least))


def refunds(events: Iterable[Event], suspects: Iterable[str]) -> list[Refund]:
    """The charged clicks of flagged visitors, in order of time.

    Args:
        events: The log, or its ad clicks.
        suspects: What `flagged` gave.
    """
    names = frozenset(suspects)
    found = [
        Refund(str(event.properties.get("campaign", "")), event.id, float(event.value), event.time)
        for event in events
        if event.kind is EventKind.AD_CLICK and event.value
        and (event.customer or f"session:{event.session}") in names
    ]  # fmt: skip
    return sorted(found, key=lambda refund: (refund.time, refund.click))


def _unlabelled(tails: Floats, suspicions: Floats, seed: int) -> Floats:
    count = len(tails)
    if count < 2:
        return np.zeros(count)
    forest = IsolationForest(n_estimators=200, random_state=seed, max_samples=min(256, count))
    rows = np.random.default_rng(seed).permutation(count)[:_SAMPLE]
    isolated = -forest.fit(tails[rows]).score_samples(tails)
    both = upper_tails(np.stack([tails.sum(axis=1), isolated], axis=1))
    return np.asarray((suspicions.max(axis=1) + both.sum(axis=1)) / (3 * np.log(count)))


def _with_answers(score: Floats, found: Traces, tails: Floats, decided: Mapping[str, str], seed: int) -> Floats:
    """Tails of the score and of what boosted trees learn from answers, averaged; the score itself with too few of them."""
    names = found.names
    rows = np.array([row for row, name in enumerate(names) if decided.get(name) in (ROBOT, PERSON)], dtype=np.int64)
    robot = np.array([decided[names[row]] == ROBOT for row in rows], dtype=np.bool_)
    rarer = int(min(robot.sum(), (~robot).sum()))
    if rarer < _LEAST_LABELS:
        return score
    table = np.column_stack([found.table, tails, score])
    data = lgb.Dataset(table[rows], label=robot.astype(np.float64), free_raw_data=False)
    trees = lgb.train({**_TREES, "seed": seed}, data, num_boost_round=_ROUNDS)
    chance = np.asarray(trees.predict(table), dtype=np.float64)
    both = upper_tails(np.column_stack([score, chance])) / np.log(len(score))
    share = rarer / (rarer + _HALF)
    return np.asarray((1 - share) * both[:, 0] + share * both[:, 1])


def _holds(rule: _Rule, table: Floats) -> NDArray[np.bool_]:
    return np.asarray(
        np.all([table[:, _COLUMN[name]] >= least for name, least in rule.least.items()], axis=0), dtype=np.bool_
    )


def _suspect(
    row: int, found: Traces, score: Floats, suspicions: Floats, hit: Mapping[str, NDArray[np.bool_]], log: Visits
) -> Suspect:
    rules = tuple(name for name, mask in hit.items() if mask[row])
    said = []
    for name in rules:
        rule = _RULES[name]
        value = rule.shown(float(found.table[row, _COLUMN[next(iter(rule.least))]]))
        said.append(tuple(text.format(value=value) for text in rule.text))
    if not said:
        said = [list(_NAMED.values())[int(np.argmax(suspicions[row]))]]
    events = int(found.counts[row])
    english, chinese = ([text[language] for text in said] for language in range(2))
    return Suspect(
        found.names[row],
        float(score[row]),
        rules,
        {"en": f"{events} events: {'; '.join(english)}", "zh": f"{events}次操作：{'；'.join(chinese)}"},
        log.sessions[row],
    )


def _questions(findings: Findings) -> Iterator[Decision]:
    for suspect in findings.suspects:
        named = suspect.visitor.startswith(("device:", "session:"))
        yield Decision(
            task=TASK,
            subject=suspect.visitor,
            text=f"{suspect.text['en']}\n{suspect.text['zh']}",
            proposal=ROBOT if suspect.rules else "",
            score=suspect.score,
            customer="" if named else suspect.visitor,
        )
