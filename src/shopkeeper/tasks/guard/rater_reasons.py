"""What the signs of raters are called, so that a human can check them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from shopkeeper.records import Reason


def _plain(value: float) -> str:
    return f"{value:.2f}"


def _share(value: float) -> str:
    return f"{value:.0%}"


def _count(value: float) -> str:
    return f"{math.expm1(value):.0f}"


def _gap(value: float) -> str:
    return f"{value:+.0%}"


_SAID: Mapping[str, tuple[str, str, Callable[[float], str]]] = {
    "count": ("number of ratings", "评分数量", _count),
    "mean": ("mean stars given", "平均打分", _plain),
    "spread": ("deviation of the stars given", "打分的标准差", _plain),
    "entropy": ("variety of the stars given (entropy)", "打分的多样性（熵）", _plain),
    "lowest": ("share of lowest ratings", "最低分占比", _share),
    "highest": ("share of highest ratings", "最高分占比", _share),
    "distance": ("stars away from what others give", "与他人打分的差距（星）", _plain),
    "shift": ("stars above what others give", "高出他人打分（星）", _plain),
    "rdma": ("disagreement on seldom rated products", "在冷门商品上与他人的分歧", _plain),
    "wdma": ("disagreement on hardly rated products", "在极冷门商品上与他人的分歧", _plain),
    "target_gap": ("stars between promoted and other products", "力推商品与其他商品的星差", _plain),
    "filler_distance": ("squared distance from others outside the promoted products", "力推商品之外与他人的差距平方", _plain),
    "popular": ("ratings that the rated products have (typical one)", "所评商品的评分数（典型值）", _count),
    "popular_least": ("ratings of the least rated product", "所评最冷门商品的评分数", _count),
    "popular_low": ("ratings of the less rated products", "所评较冷门商品的评分数", _count),
    "popular_high": ("ratings of the more rated products", "所评较热门商品的评分数", _count),
    "popular_most": ("ratings of the most rated product", "所评最热门商品的评分数", _count),
    "alone": ("share of products that nobody else rated", "无人同评的商品占比", _share),
    "bursty": ("burstiness of the ratings' times (-1 to 1)", "评分时间的突发性（-1 到 1）", _plain),
    "busiest_day": ("share of ratings on the busiest day", "最忙一天的评分占比", _share),
    "span": ("days between first and last rating", "首末次评分相隔天数", _count),
    "early": ("share among a product's first three ratings", "位于商品前三条评分的占比", _share),
    "crowded": ("share of a product's other ratings within a day", "同商品其他评分在一天内的占比", _share),
    "copies_own": ("share of texts that repeat own ones", "与自己其他评论雷同的占比", _share),
    "copies_others": ("share of texts that repeat other people's", "与他人评论雷同的占比", _share),
    "length": ("characters in a text (typical)", "评论字数（典型值）", _count),
    "length_spread": ("deviation of text lengths (log)", "评论长度的离散度（对数）", _plain),
    "written": ("share of ratings with words", "带文字的评分占比", _share),
    "disagreement": ("distance between words and stars (0 to 1)", "文字与星级的不一致（0 到 1）", _plain),
    "bought": ("share of rated products bought before", "评价前已购买的占比", _share),
    "block": ("density of the densest group of raters", "所在最密评分群体的密度", _plain),
    "partners": ("others who rated the same seldom rated products", "共同评价冷门商品的用户数", _count),
    "shared": ("share of products that one other customer rated too", "与某一用户重合的商品占比", _share),
    "agreeing": ("share of products that one other customer rated alike", "与某一用户同评同分的商品占比", _share),
    "near": ("known fakes among co-raters, against the average", "共评者中已知虚假用户（相对平均）", _gap),
    "near_agreeing": ("known fakes among agreeing co-raters, against the average", "同分共评者中已知虚假用户（相对平均）", _gap),
    "far": ("known fakes in the wider circle, against the average", "更大圈子中已知虚假用户（相对平均）", _gap),
    "worst": ("known fakes on the worst product, against the average", "最可疑商品上的已知虚假用户（相对平均）", _gap),
    "evidence": ("known raters met", "遇到的已知用户数", _count),
    "taste": ("products that known fakes rate (log-odds)", "偏好已知虚假用户所评商品（对数几率）", _plain),
}  # fmt: skip


def said(sign: str, value: float, usual: float) -> Reason | None:
    """A sign in words, with its value and what is usual in the shop; None where it is unknown."""
    if sign not in _SAID or math.isnan(value):
        return None
    english, chinese, written = _SAID[sign]
    own, others = written(value), "?" if math.isnan(usual) else written(usual)
    text = {"en": f"{english}: {own} (usual: {others})", "zh": f"{chinese}：{own}（一般 {others}）"}
    return Reason(kind=sign, evidence=(own,), text=text)
