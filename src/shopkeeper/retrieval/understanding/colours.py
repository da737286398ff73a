"""Names of colours in both languages, so that 红色 finds what is called red, and the other way round."""

from __future__ import annotations

_TABLE = (
    "red 红 红色 大红 大红色",
    "crimson 绯红 深红 深红色 酒红 酒红色 burgundy wine",
    "pink 粉 粉色 粉红 粉红色",
    "orange 橙 橙色 橘色 橘红色",
    "yellow 黄 黄色",
    "green 绿 绿色",
    "teal 青 青色 蓝绿色",
    "turquoise 绿松石色 湖蓝 湖蓝色",
    "blue 蓝 蓝色",
    "navy 藏青 藏青色 深蓝 深蓝色 藏蓝 藏蓝色",
    "purple 紫 紫色 violet",
    "lavender 薰衣草紫 淡紫色",
    "brown 棕 棕色 褐色 咖啡色",
    "beige 米色 杏色 米白色 米白",
    "khaki 卡其 卡其色",
    "black 黑 黑色",
    "white 白 白色",
    "grey gray 灰 灰色",
    "charcoal 炭灰 炭灰色 深灰 深灰色",
    "silver 银 银色",
    "gold golden 金 金色",
    "transparent clear 透明 透明色",
    "multicolour multicolor multicoloured multicolored 彩色 多色",
)

SAME: dict[str, tuple[str, ...]] = {word: tuple(row.split()) for row in _TABLE for word in row.split()}
"""Every name of a colour to all names of it, in lower case."""

NO_COLOUR = frozenset(
    [
        ("orange", "juice"),
        ("orange", "marmalade"),
        ("orange", "peel"),
        ("orange", "soda"),
        ("orange", "oil"),
        ("red", "wine"),
        ("red", "bull"),
        ("red", "hat"),
        ("white", "wine"),
        ("white", "noise"),
        ("white", "rice"),
        ("white", "chocolate"),
        ("black", "pepper"),
        ("black", "tea"),
        ("black", "friday"),
        ("black", "forest"),
        ("green", "tea"),
        ("green", "beans"),
        ("brown", "sugar"),
        ("brown", "rice"),
        ("blue", "cheese"),
        ("blue", "ray"),
        ("pink", "floyd"),
        ("clear", "coat"),
    ]
)
"""Pairs of words in which the first names no colour, whatever else the catalogue has in that colour."""
