"""Features of payments in sentences, English and Chinese: why a payment was found suspicious."""

from __future__ import annotations

import math
from typing import Final

from shopkeeper.ranking.payments.table import Feature
from shopkeeper.records import Reason

_OWNERS: Final = {
    "payment": ("this payment", "该支付"),
    "customer": ("this customer", "该客户"),
    "terminal": ("this terminal", "该终端"),
    "device": ("this device", "该设备"),
    "address": ("this address", "该地址"),
    "card": ("this card", "该卡"),
}
_WINDOWS: Final = {
    "15m": ("15 minutes", "15 分钟"), "1h": ("an hour", "1 小时"), "1d": ("a day", "1 天"),
    "7d": ("7 days", "7 天"), "30d": ("30 days", "30 天"), "60d": ("60 days", "60 天"),
}  # fmt: skip
_SAID: Final = {
    "amount": ("The amount is {v:.1f} times the usual one", "金额是通常金额的 {v:.1f} 倍"),
    "hour": ("Paid at {v:.0f} o'clock (UTC)", "支付时间为 {v:.0f} 点（UTC）"),
    "night": ("Paid at night: {yes}", "夜间支付：{yes_zh}"),
    "weekend": ("Paid at the weekend: {yes}", "周末支付：{yes_zh}"),
    "count": ("{v:.0f} payments with {owner} within {window}", "{owner}在 {window}内有 {v:.0f} 笔支付"),
    "since": ("The last payment but {before} with {owner} was {ago} ago", "{owner}倒数第 {step} 笔支付在 {ago}前"),
    "mean": ("{owner} pays {v:.1f} times the usual amount, by {window}", "{owner} {window}内的平均金额是通常金额的 {v:.1f} 倍"),
    "ratio": ("The amount is {v:.1f} times the average of {owner} within {window}", "金额是{owner} {window}内平均的 {v:.1f} 倍"),
    "ratio_step": ("The amount is {v:.1f} times that of payment {step} before, with {owner}", "金额是{owner}之前第 {step} 笔的 {v:.1f} 倍"),
    "deviation": ("Amounts of {owner} vary by {v:.1f} times the usual amount", "{owner}金额的波动是通常金额的 {v:.1f} 倍"),
    "unusual": ("Amounts with {owner} lie {v:.1f} deviations above what their customers usually pay", "{owner}的金额比客户平时高 {v:.1f} 个标准差"),
    "unusual_step": ("Payment {step} before, with {owner}, lay {v:.1f} deviations above what its customer usually pays", "{owner}之前第 {step} 笔比其客户平时高 {v:.1f} 个标准差"),
    "unusual_before": ("Payments of {owner} within {window} lay {v:.1f} deviations above the usual", "{owner} {window}内的支付比平时高 {v:.1f} 个标准差"),
    "met": ("The customer last met {owner} {ago} ago", "客户上次使用{owner}是在 {ago}前"),
    "newcomers": ("{v:.0f} customers were new at {owner} within {window}", "{window}内有 {v:.0f} 位新客户使用{owner}"),
    "taint": ("Fraud is known of {v:.1%} of what the customers of {owner} paid before", "使用{owner}的客户此前 {v:.1%} 的支付是欺诈"),
    "risk": ("Fraud is known of {v:.1%} of the payments where {owner} paid before", "{owner}此前支付之处有 {v:.1%} 的支付是欺诈"),
    "known": ("{v:.0f} frauds are known with {owner}, in {window} before the delay", "{owner}在延迟期前 {window}内有 {v:.0f} 笔已知欺诈"),
    "share": ("{v:.0%} of the payments with {owner} were fraud, in {window} before the delay", "{owner}在延迟期前 {window}内 {v:.0%} 的支付是欺诈"),
    "settled": ("{v:.0f} settled payments with {owner} within {window}", "{owner} {window}内有 {v:.0f} 笔已结清的支付"),
    "hours_since": ("The last known fraud with {owner} lies {hours} before the delay", "{owner}最近一次已知欺诈在延迟期前 {hours}"),
    "hours_from": ("The first known fraud with {owner} lies {hours} before the delay", "{owner}首次已知欺诈在延迟期前 {hours}"),
    "genuine_since": ("{v:.0f} payments with {owner} since the last known fraud", "{owner}自上次已知欺诈后有 {v:.0f} 笔支付"),
    "distance": ("What is bought is unlike what {owner} bought before ({v:.2f})", "所购商品与{owner}以往所购不同（{v:.2f}）"),
}  # fmt: skip
_NONE: Final = {
    "met": ("The customer has not met {owner} within 30 days", "客户 30 天内未使用过{owner}"),
    "hours_since": ("No fraud is known with {owner}", "{owner}没有已知欺诈"),
    "hours_from": ("No fraud is known with {owner}", "{owner}没有已知欺诈"),
    "genuine_since": ("No fraud is known with {owner}", "{owner}没有已知欺诈"),
}
_NOTHING: Final = ("Little is known of {owner}", "对{owner}所知甚少")


def reason_of(feature: Feature, value: float) -> Reason:
    """Why a feature with this value speaks against a payment; NaN says that it does not apply.

    >>> reason_of(Feature("spending", "customer", "ratio", "30d"), 5.04).text["en"]
    'The amount is 5.0 times the average of this customer within 30 days'
    """
    owners = _OWNERS.get(feature.owner, (feature.owner, feature.owner))
    step = int(feature.window) if feature.window.isdigit() else 1
    windows = _WINDOWS.get(feature.window, (feature.window, feature.window))
    missing = math.isnan(value)
    key = (
        f"{feature.measure}_step"
        if f"{feature.measure}_step" in _SAID and feature.window.isdigit()
        else feature.measure
    )
    sentences = _NONE.get(feature.measure, _NOTHING) if missing else _SAID[key]
    text = {}
    for place, language in enumerate(("en", "zh")):
        number = 0.0 if missing else value
        text[language] = sentences[place].format(
            v=number,
            owner=owners[place],
            window=windows[place],
            step=step,
            before=step - 1,
            ago=_ago(number, place),
            hours=_ago(3_600 * number, place),
            yes="yes" if number else "no",
            yes_zh="是" if number else "否",
        )
    if feature.measure == "since" and step == 1 and not missing:
        text["en"] = f"The last payment with {owners[0]} was {_ago(value, 0)} ago"
    return Reason(kind=feature.group, evidence=(str(feature), "" if missing else f"{value:.4g}"), text=text)


def _ago(seconds: float, language: int) -> str:
    for size, names in ((86_400, ("days", "天")), (3_600, ("hours", "小时")), (60, ("minutes", "分钟"))):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {names[language]}"
    return f"{seconds:.0f} {('seconds', '秒')[language]}"
