"""Numbers as customers write them, the units that follow them, and sizes.

A number with a unit is a quantity ("7 inch", "500ml", "3岁") and never money. Places are offsets into a text in lower case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ARABIC = r"(?:\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.\d{1,2})?"
HAN_DIGITS = "零一二两三四五六七八九"
CHINESE = rf"[{HAN_DIGITS}十百千万]{{1,9}}"
NUMBER = rf"(?:{ARABIC}\s?(?:[百千万](?![百千万])|k(?![a-z]))?|{CHINESE})"
"""A number in figures or in Chinese numerals: ``1,000``, ``1.5k``, ``100万``, ``三百五``."""

_ENGLISH_UNITS = (
    "inch inches in ft foot feet yd yard yards m mm cm km meter meters metre metres mile miles mi g kg mg gram grams oz "
    "ounce ounces lb lbs pound pounds ton tons tonne tonnes l ml cl liter liters litre litres gal gallon gallons qt quart "
    "quarts pint pints cup cups w kw kwh wh watt watts v volt volts a amp amps ah mah btu hp cc psi lumen lumens lm hz khz "
    "mhz ghz kb mb gb tb mbps gbps mp megapixel megapixels px dpi rpm fps mph db decibel decibels k p degree degrees c f "
    "percent pc pcs pack packs piece pieces pair pairs count ct set sets page pages sheet sheets person persons people "
    "player players seat seats star stars month months mo year years yr yrs yo week weeks day days hour hours hr hrs "
    "minute minutes min mins second seconds sec calorie calories cal carbs carb tier tiers shelf shelves drawer drawers "
    "door doors thread threads spf ply x ch channel channels port ports core cores bit way gauge karat carat carats"
)
_CHINESE_UNITS = (
    "个月 小时 分钟 厘米 毫米 公分 公里 英寸 英尺 平米 平方 公斤 千克 毫克 毫升 毫安 流明 像素 赫兹 千瓦 周岁 星级 "
    "岁 月 年 天 周 秒 米 寸 斤 克 吨 升 码 个 只 件 条 片 颗 支 瓶 包 袋 盒 箱 层 人 级 度 页 瓦 伏 安 转 匹 格 台 双 套 张 粒 口 "
    "门 线 帧 平 字 本 代 核 位 倍 目 分 星 点 次 号 孔 针 股 节 根 座 档 寸 卷 把 抽 杯 头 键 轴 路 毫 丝 尺 步 题 集 部 季 期 胎 杠 "
    "级 排 组 块装"
)
_UNIT = re.compile(
    r"[\s-]?(?:"
    + "|".join(sorted(_ENGLISH_UNITS.split(), key=len, reverse=True))
    + r")(?![a-z])|\s?(?:"
    + "|".join(sorted(set(_CHINESE_UNITS.split()), key=len, reverse=True))
    + r"|[\"'″′%℃°])"
)
_SIZE = re.compile(
    r"(?<![a-z0-9])sizes?[ :]+(?:us|uk|eu)?\s?(?P<en>\d{1,3}(?:\.\d|\s?1/2)?|(?:x{1,3}|\dx)?[sl]|m)(?![\w%./-])"
    r"|(?<![\d.a-z])(?P<zh>\d{2}(?:\.5)?|x{0,3}[xsml])码"
)
_DIGIT = {letter: number for number, letter in enumerate("零一二三四五六七八九")} | {"两": 2}
_SCALE = {"十": 10, "百": 100, "千": 1000}


@dataclass(frozen=True, slots=True)
class Size:
    """A size that was named, with its place in the text; the value as the catalogue may spell it, upper case letters."""

    start: int
    end: int
    value: str


def number(text: str) -> float:
    """The value of a text that `NUMBER` matches.

    >>> number("1,000"), number("1.5k"), number("三百五"), number("两千"), number("100万")
    (1000.0, 1500.0, 350.0, 2000.0, 1000000.0)
    """
    found = re.fullmatch(rf"({ARABIC})\s?([百千万k]?)", text)
    if found:
        scale = {"": 1, "k": 1000, "万": 10_000} | _SCALE
        return float(found[1].replace(",", "")) * scale[found[2]]
    return float(_chinese(text))


def measured(text: str, end: int) -> bool:
    """Whether a unit follows the number that ends at `end`, so that it counts or measures something.

    >>> measured("under 10 ft", 8), measured("under 100 tablet", 9), measured("3岁以上", 1)
    (True, False, True)
    """
    return _UNIT.match(text, end) is not None


def sizes(text: str) -> list[Size]:
    """The sizes named in a text in lower case.

    >>> [size.value for size in sizes("red shoes size 9, 跑鞋42码")]
    ['9', '42']
    """
    return [
        Size(found.start(), found.end(), (found["en"] or found["zh"]).replace(" 1/2", ".5").upper())
        for found in _SIZE.finditer(text)
    ]


def _chinese(text: str) -> int:
    """Chinese numerals, with the spoken short form: 三百五 is 350, 一万二 is 12,000."""
    total = section = digit = 0
    short = 1  # what a last digit counts when its unit is left out
    for letter in text:
        if letter in _DIGIT:
            digit = _DIGIT[letter]
            short = 1 if letter == "零" else short
        elif letter == "万":
            total = (total + section + digit or 1) * 10_000
            section, digit, short = 0, 0, 1000
        else:
            section += (digit or 1) * _SCALE[letter]
            digit, short = 0, _SCALE[letter] // 10
    return total + section + digit * short
