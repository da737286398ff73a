"""How a customer sounds: feeling and haste, by words of both languages with negation."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from shopkeeper.models.text import Scorer
from shopkeeper.retrieval import aspects
from shopkeeper.retrieval.understanding.script import lowered
from shopkeeper.tasks.assist.turns import Mention

_ANGER: Final = (
    "angry furious annoyed annoying upset frustrated frustrating ridiculous unacceptable disgusting scam fraud cheated lied liar "
    "rubbish joke unhappy dissatisfied sick nightmare shame pathetic complain complaint unfair ripped disgrace rude ignored "
    "生气 气死 愤怒 恶心 骗子 骗人 欺骗 坑人 太坑 坑爹 投诉 差评 无语 离谱 过分 敷衍 没人理 没人管 忽悠 上当 受骗 烦死 气人 态度恶劣 不负责任 "
    "发错 少发 漏发 一直没"
)
"""What unhappy customers say about service; what they say about goods stands in `retrieval.aspects`."""
_STRONG: Final = frozenset(
    ["furious", "disgusting", "scam", "unacceptable", "nightmare", "骗子", "气死", "愤怒", "恶心", "坑爹", "太坑"]
)
_MORE: Final = re.compile(
    r"(?<![a-z])(?:very|really|so|extremely|totally|absolutely|too|such)\s(?:a\s)?$|(?:太|非常|特别|十分|极其|真的?|超级?|实在)$"
)
_NOT: Final = re.compile(
    r"(?<![a-z])(?:not|no|never|isn['’]?t|wasn['’]?t|aren['’]?t|don['’]?t|doesn['’]?t|didn['’]?t|can['’]?t|hardly|nothing|without)"
    r"\s(?:\w+\s){0,2}$|(?:不|没|没有|别|并不|不太|不是很|不怎么|毫不|从不)(?:是|太|很|算|那么|怎么)?$"
)
_URGENT: Final[Mapping[str, float]] = {
    r"urgent(?:ly)?|asap|as soon as possible|emergency|immediately|right (?:now|away)|at once": 0.8,
    r"(?:need|needs|want|must have)[\w\s]{0,24}(?:today|tonight|tomorrow|by \w+day)|before (?:tomorrow|tonight)|deadline": 0.65,
    r"hurry|quickly|rush(?:ing|ed)?|(?:time|running) (?:is )?(?:running )?out|can['’]?t wait|still waiting|waiting for (?:days|weeks)|"
    r"how much longer|last chance|party|wedding|flight|birthday|leaving (?:today|tomorrow)": 0.4,
    r"马上|立刻|立即|赶紧|尽快|紧急|加急|火急|急用|急需|急着|很急|好急|着急|急急|急死|十万火急|刻不容缓": 0.8,
    r"(?:今天|今晚|明天|明早|后天)[^，。！？]{0,10}(?:之前|前|必须|一定|就要|要用|得用|收到|送到)|(?:必须|一定要)[^，。！？]{0,10}(?:今天|今晚|明天)|截止": 0.65,
    r"快点|快些|催|等不及|来不及|等了(?:好久|很久|好几天|[一两二三四五六七八九十\d]+[天周个])|还要等|怎么还|还没[^，。！？]{0,8}[？?]|婚礼|生日|出差|赶飞机": 0.4,
}
_HASTE: Final = tuple((re.compile(pattern), weight) for pattern, weight in _URGENT.items())
_TONED: Final = re.compile(
    "|".join(
        rf"(?<![a-z]){re.escape(word)}(?![a-z])" if word.isascii() else re.escape(word)
        for word in sorted(_ANGER.split(), key=len, reverse=True)
    )
)
_SOON_DAYS: Final = 2


def feeling(text: str) -> float:
    """How pleased a text sounds by its words, -1 to 1; 0 where no word tells.

    >>> feeling("not happy at all") < 0 < feeling("非常满意")
    True
    """
    low = lowered(text[:2_000])
    total = sum(aspects.feeling(sentence) for sentence in aspects.sentences(low))
    for match in _TONED.finditer(low):
        before = low[max(0, match.start() - 24) : match.start()]
        weight = -1.6 if match.group() in _STRONG else -1.0
        if _MORE.search(before):
            weight, before = 1.4 * weight, _MORE.sub("", before)
        total += 0.0 if _NOT.search(before) else weight
    if total < 0 and re.search(r"[!！]{2,}|[?？]{2,}", text):
        total *= 1.3
    return math.tanh(total / 1.5)


def sentiment(text: str, scorer: Scorer | None = None, classes: Sequence[str] = ()) -> float:
    """Feeling by words, averaged with a learnt model of ``positive`` and ``negative`` where there is one; -1 to 1."""
    plain = feeling(text)
    if scorer is None or not {"positive", "negative"} <= set(classes) or not text.strip():
        return plain
    shares = scorer.probabilities([text])[0]
    learnt = float(shares[classes.index("positive")] - shares[classes.index("negative")])
    return (plain + learnt) / 2


def urgency(text: str, days: Sequence[Mention] = (), today: date | None = None) -> float:
    """How much haste a text shows, 0 to 1.

    Args:
        text: Anything.
        days: Dates that it names; one that is today or close by adds to haste that is there already.
        today: The day those are measured from.

    >>> urgency("I need this urgently") > urgency("do you have this in red?")
    True
    """
    low = lowered(text[:2_000])
    calm = 1.0
    for pattern, weight in _HASTE:
        if (match := pattern.search(low)) and not _NOT.search(low[max(0, match.start() - 16) : match.start()]):
            calm *= 1.0 - weight
    if today is not None and calm < 1.0:
        ahead = [(date.fromisoformat(day.value) - today).days for day in days if day.kind == "date"]
        calm *= 0.7 if any(0 <= left <= _SOON_DAYS for left in ahead) else 1.0
    if re.search(r"[!！]{2,}", text):
        calm *= 0.8
    letters = [letter for letter in text if letter.isascii() and letter.isalpha()]
    if len(letters) >= 12 and sum(letter.isupper() for letter in letters) > 0.8 * len(letters):
        calm *= 0.75
    return 1.0 - calm
