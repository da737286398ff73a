"""What another policy would have earned, from the log of the one that served: clicks weighed by how much likelier it is.

A page has places; policies give each item a probability at each place. Written for place k of a page, with the logging
policy's probability p of the item that stood there, the new policy's q, and whether it was clicked, r:

    importance sampling (IPS)      w r                      w = q / p
    clipped                        min(w, most) r           a little bias for much less variance
    self-normalised (SNIPS)        w r / mean of w at k     needs no baseline, bounded by the highest r
    direct                         sum over items of q m    m: a model's click rate; as biased as the model
    doubly robust (DR)             w (r - m) + direct       right if the model or the probabilities are
    SWITCH                         as DR where w <= most, else direct

A page is worth the sum over its places. **Assumption**: a click depends on the item and its place, not on what else the
page shows (item-position independence); that is what makes the product of probabilities of a whole page unnecessary.
Sources: Horvitz and Thompson 1952; Swaminathan and Joachims 2015 (self-normalised); Dudik, Langford and Li 2011 (doubly
robust); Wang, Agarwal and Dudik 2017 (SWITCH); Li et al. 2018 (item-position click models for rankings).

Every estimator returns one value a page whose mean is the estimate, so `evaluation.intervals` gives its interval and the
paired difference from what was really clicked. For the ratio SNIPS the values are its linearisation, exact in the mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST: Final = 500.0
"""Effective sample of a place, in pages, below which an estimate is refused: there intervals hold the truth too seldom."""
_LEAST_CLICKS: Final = 10.0
"""Effective number of clicks below which an estimate is refused."""
_UNSEEN: Final = 0.1
"""Share of what the new policy shows at a place that the log may lack."""
_SELDOM: Final = 0.05
"""Places that fewer pages have than this share do not decide whether a log can be trusted."""


@dataclass(frozen=True, slots=True)
class Logged:
    """Places that were shown, one entry each; n of them on `pages` pages.

    Attributes:
        page: int64 (n,), the page of each, in [0, pages).
        place: int64 (n,), 1-based.
        reward: float64 (n,), 1 where it was clicked, else 0; or money.
        logging: float64 (n,), probability with which the item was shown there, in (0, 1]; NaN where nobody knows.
        new: float64 (n,), probability with which the new policy would show it there, in [0, 1].
        modelled: float64 (n,), a model's reward of the item at the place; zeros turn DR into IPS.
        expected: float64 (n,), mean over the new policy's items at the place of the model's rewards.
        pages: How many pages there are.
    """

    page: Ints
    place: Ints
    reward: Values
    logging: Values
    new: Values
    modelled: Values
    expected: Values
    pages: int

    def __post_init__(self) -> None:
        """Refuse columns of different lengths."""
        columns = (self.page, self.place, self.reward, self.logging, self.new, self.modelled, self.expected)
        if len({len(column) for column in columns}) > 1:
            raise ValueError("all columns of a log must have the same length")

    @property
    def weights(self) -> Values:
        """float64 (n,), w = new / logging; NaN where the logging probability is unknown or impossible."""
        usable = (self.logging > 0) & (self.logging <= 1)
        weights: Values = np.divide(self.new, self.logging, out=np.full(len(self.new), np.nan), where=usable)
        return weights

    def by_page(self, values: Values) -> Values:
        """Sum over the places of each page: float64 (pages,) from float64 (n,)."""
        return np.bincount(self.page, values, minlength=self.pages).astype(np.float64)


def earned(log: Logged) -> Values:
    """What the logging policy really earned on each page: float64 (pages,)."""
    return log.by_page(log.reward)


def importance(log: Logged) -> Values:
    """IPS: unbiased where everything the new policy shows had a chance. float64 (pages,)."""
    return log.by_page(log.weights * log.reward)


def clipped(log: Logged, most: float = 10.0) -> Values:
    """IPS with weights of `most` at most: too low where good items were rarely shown. float64 (pages,)."""
    return log.by_page(np.minimum(log.weights, most) * log.reward)


def self_normalised(log: Logged) -> Values:
    """SNIPS, normalised at each place by itself because places are looked at differently often.

    Returns:
        float64 (pages,), with a mean of exactly sum over places of
        (share of pages with the place) x (sum of w r) / (sum of w).
    """
    weights = log.weights
    if not len(weights):
        return np.zeros(log.pages)
    _, at = np.unique(log.place, return_inverse=True)
    mean = np.bincount(at, weights) / np.bincount(at)
    scale = np.divide(1.0, mean, out=np.zeros_like(mean), where=mean > 0)
    value = np.bincount(at, weights * log.reward) / np.bincount(at) * scale
    return log.by_page(value[at] + weights * scale[at] * (log.reward - value[at]))


def direct(log: Logged) -> Values:
    """The model's word alone. float64 (pages,)."""
    return log.by_page(log.expected)


def doubly_robust(log: Logged) -> Values:
    """DR: the model, corrected by what was clicked. float64 (pages,)."""
    return log.by_page(log.weights * (log.reward - log.modelled) + log.expected)


def switch(log: Logged, most: float = 10.0) -> Values:
    """SWITCH-DR: as DR, but where a weight is above `most` the model is trusted. float64 (pages,)."""
    weights = log.weights
    used = np.where(weights <= most, weights, 0.0)
    return log.by_page(used * (log.reward - log.modelled) + log.expected)


def effective_sample(weights: ArrayLike) -> float:
    """How many equal weights would be as sure as these: (sum w)^2 / sum w^2 (Kish 1965); 0 where all are 0.

    >>> effective_sample([1, 1, 1, 1]), effective_sample([4, 0, 0, 0])
    (4.0, 1.0)
    """
    weight = np.asarray(weights, dtype=np.float64)
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a log can tell what a new policy would earn.

    Attributes:
        ok: It can.
        text: Why, or why not and what to do, in ``en`` and ``zh``.
        effective: Effective sample of the place that has the smallest, in pages.
        effective_clicks: The same of the clicks alone: the estimate is about as sure as so many clicks are.
        unseen: Share of what the new policy shows at a place that the log seems to lack (1 - mean weight), at the place that
            lacks most.
        largest: The largest weight.
    """

    ok: bool
    text: Mapping[str, str]
    effective: float = 0.0
    effective_clicks: float = 0.0
    unseen: float = 0.0
    largest: float = 0.0


def trustworthy(log: Logged, *, least: float = LEAST, least_clicks: float = _LEAST_CLICKS) -> Verdict:
    """Can this log judge the new policy? A refusal names its reason; an estimate without this question is a guess.

    Args:
        log: See `Logged`.
        least: Effective sample needed at each place that is common.
        least_clicks: Effective clicks needed.
    """
    weights = log.weights
    if not len(weights):
        return _refused("empty")
    if np.isnan(weights).any():
        return _refused("missing", share=float(np.isnan(weights).mean()))
    if (log.logging == 1).all():
        return _refused("certain")
    common = [own for own in _of_places(log.place, weights) if len(own) >= _SELDOM * log.pages] or [weights]
    lacking = [(1 - float(own.mean()), float(own.std()) / len(own) ** 0.5) for own in common]
    mean, error = float(weights.mean()), float(weights.std()) / len(weights) ** 0.5
    facts = {
        "effective": min(effective_sample(own) for own in common),
        "effective_clicks": effective_sample(weights * log.reward),
        "unseen": max(0.0, *(lack for lack, _ in lacking)),
        "largest": float(weights.max()),
    }
    if any(lack > _UNSEEN + 3 * deviation for lack, deviation in lacking):
        return _refused("unseen", **facts)
    if mean - 1 > _UNSEEN + 3 * error:
        return _refused("wrong", mean=mean, **facts)
    if facts["effective"] < least:
        return _refused("few", least=least, **facts)
    if facts["effective_clicks"] < least_clicks:
        return _refused("clicks", least=least_clicks, **facts)
    text = {language: said.format(**facts) for language, said in _SAID["fine"].items()}
    return Verdict(True, text, **facts)


def _of_places(place: Ints, weights: Values) -> list[Values]:
    order = np.argsort(place, kind="stable")
    return np.split(weights[order], np.flatnonzero(np.diff(place[order])) + 1)


def _refused(why: str, **facts: float) -> Verdict:
    text = {language: said.format(**facts) for language, said in _SAID[why].items()}
    kept = {name: facts[name] for name in ("effective", "effective_clicks", "unseen", "largest") if name in facts}
    return Verdict(False, text, **kept)


_SAID: Final[Mapping[str, Mapping[str, str]]] = {
    "fine": {
        "en": "The log can tell: worth {effective:,.0f} pages at its weakest place, and {effective_clicks:,.0f} clicks.",
        "zh": "日志足以评估：最弱位置相当于 {effective:,.0f} 页，总计相当于 {effective_clicks:,.0f} 次点击。",
    },
    "empty": {
        "en": "The log holds no impressions with a request id. Log what was shown, and the request with each click.",
        "zh": "日志中没有带请求编号的展示记录。请记录展示内容，并在点击中附上请求编号。",
    },
    "missing": {
        "en": "{share:.1%} of the places shown have no propensity in (0, 1]. Log the chance of each item at its place.",
        "zh": "{share:.1%} 的展示位没有 (0, 1] 内的展示概率。请记录每个商品在其位置上的展示概率。",
    },
    "certain": {
        "en": "Every propensity is 1: nothing was left to chance, so the log cannot tell how anything else would have done."
        " Switch exploration on for some days.",
        "zh": "所有展示概率都是 1：没有任何随机展示，日志无法说明其他方案的效果。请先开启几天探索。",
    },
    "unseen": {
        "en": "About {unseen:.0%} of what the new policy shows at a place was never shown there. Explore more widely, or run an"
        " A/B test.",
        "zh": "新策略要展示的内容约有 {unseen:.0%} 从未在该位置出现过。请扩大探索范围，或用 A/B 测试比较。",
    },
    "wrong": {
        "en": "Weights average {mean:.2f} instead of 1: the logged propensities are not those that the pages were drawn with.",
        "zh": "权重平均为 {mean:.2f} 而不是 1：日志中的展示概率与实际抽取页面时的概率不符。",
    },
    "few": {
        "en": "At its weakest place the log is worth only {effective:,.0f} pages for this policy; {least:,.0f} are needed."
        " Collect more, or explore more.",
        "zh": "对该策略而言，日志最弱位置只相当于 {effective:,.0f} 页，至少需要 {least:,.0f} 页。请积累更多日志或加大探索。",
    },
    "clicks": {
        "en": "The log is worth only {effective_clicks:,.1f} clicks for this policy; {least:,.0f} are needed. Collect more.",
        "zh": "对该策略而言，日志只相当于 {effective_clicks:,.1f} 次点击，至少需要 {least:,.0f} 次。请积累更多日志。",
    },
}
