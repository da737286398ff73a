"""Would another policy earn more? Asked of the shop's own log before anything is switched.

    found = estimate(events, replayed(task.answer), surface="home")
    print(found.text["en"])

The estimators and their one assumption are in `evaluation.offpolicy`, how a log is read in `evaluation.offpolicy_log`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from shopkeeper.evaluation import offpolicy
from shopkeeper.evaluation.intervals import Difference, bootstrap_interval, paired_difference
from shopkeeper.evaluation.offpolicy import Ints, Logged, Values, Verdict
from shopkeeper.evaluation.offpolicy_log import Policy, logged, read_pages
from shopkeeper.records import Event

ESTIMATORS: Final[Mapping[str, Callable[[Logged], Values]]] = {
    "ips": offpolicy.importance,
    "clipped": offpolicy.clipped,
    "snips": offpolicy.self_normalised,
    "direct": offpolicy.direct,
    "dr": offpolicy.doubly_robust,
    "switch": offpolicy.switch,
}
"""What a report holds, by the short names of the field."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Clicks a page that one estimator expects of the new policy.

    Attributes:
        value: The estimate.
        low, high: Its 95 % bootstrap interval over sessions. It knows nothing of a wrong model: read that of ``direct`` as
            its spread over pages alone.
        gain: Difference from the clicks that the logging policy earned on the same pages.
    """

    value: float
    low: float
    high: float
    gain: Difference


@dataclass(frozen=True, slots=True)
class PolicyReport:
    """What a log says of a new policy.

    Attributes:
        verdict: Whether it can say anything; `estimates` is empty where it cannot.
        pages: Pages read.
        earned: Clicks a page of the logging policy, with its 95 % interval.
        estimates: By name of `ESTIMATORS`.
        text: The result in a sentence, in ``en`` and ``zh``.
    """

    verdict: Verdict
    pages: int
    earned: tuple[float, float, float]
    estimates: Mapping[str, Estimate]
    text: Mapping[str, str]


def estimate(
    events: Iterable[Event],
    policy: Policy,
    *,
    surface: str = "",
    ads: bool = False,
    least: float = offpolicy.LEAST,
    seed: int = 7,
) -> PolicyReport:
    """Clicks a page that a new policy would earn, or why the log cannot tell.

    Args:
        events: The log, in any order; `KINDS`, or `AD_KINDS`, suffice.
        policy: The new policy.
        surface: Only impressions of this surface.
        ads: Judge a policy of sponsored places.
        least: See `offpolicy.trustworthy`.
        seed: Of folds and bootstraps.
    """
    pages = read_pages(events, surface, ads=ads)
    log = logged(pages, policy, seed=seed)
    verdict = offpolicy.trustworthy(log, least=least)
    names: dict[str, int] = {}
    session = np.array([names.setdefault(page.session, len(names)) for page in pages], dtype=np.int64)
    real = clustered(offpolicy.earned(log), session)
    earned = (float(real.mean()) if len(real) else 0.0, *bootstrap_interval(real, seed=seed))
    if not verdict.ok:
        return PolicyReport(verdict, len(pages), earned, {}, verdict.text)
    found = {name: _estimated(clustered(by(log), session), real, seed) for name, by in ESTIMATORS.items()}
    text = {language: _sentence(said, found["dr"], earned[0]) for language, said in _SAID.items()}
    return PolicyReport(verdict, len(pages), earned, found, text)


def clustered(values: Values, groups: Ints) -> Values:
    """Values a page as values a session with the same mean, for intervals: pages of a session are not independent.

    Args:
        values: float64 (n,).
        groups: int64 (n,), in [0, sessions), each occurring.

    Returns:
        float64 (sessions,), the linearised ratio of sums, exact in the mean.

    >>> clustered(np.array([1.0, 1.0, 4.0]), np.array([0, 0, 1])).round(2).tolist()
    [0.67, 3.33]
    """
    if not len(values):
        return values
    mean = values.mean()
    sums = np.bincount(groups, values - mean)
    return np.asarray(mean + sums * len(sums) / len(values))


def _estimated(values: Values, real: Values, seed: int) -> Estimate:
    low, high = bootstrap_interval(values, seed=seed)
    return Estimate(float(values.mean()), low, high, paired_difference(real, values, seed=seed))


def _sentence(said: tuple[str, str, str], found: Estimate, earned: float) -> str:
    lead, sure, unsure = said
    gain = found.gain
    head = lead.format(value=found.value, low=found.low, high=found.high, earned=earned)
    return head + (sure if gain.clear else unsure).format(mean=gain.mean, low=gain.low, high=gain.high)


_SAID: Final[Mapping[str, tuple[str, str, str]]] = {
    "en": (
        "The new policy would earn {value:.4f} clicks a page ({low:.4f} to {high:.4f}); the one that served earned"
        " {earned:.4f}. ",
        "The difference is {mean:+.4f} ({low:+.4f} to {high:+.4f}).",
        "The difference of {mean:+.4f} may be luck ({low:+.4f} to {high:+.4f}): collect more, or test it on a part of the"
        " customers.",
    ),
    "zh": (
        "新策略预计每页 {value:.4f} 次点击（{low:.4f} 至 {high:.4f}）；现行策略为 {earned:.4f} 次。",
        "差异为 {mean:+.4f}（{low:+.4f} 至 {high:+.4f}）。",
        "差异 {mean:+.4f} 可能只是偶然（{low:+.4f} 至 {high:+.4f}）：请积累更多日志，或先在部分顾客中测试。",
    ),
}
