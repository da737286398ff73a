"""What reviews say about what: a sentence, the aspects it speaks of, and how it feels about them, in English and Chinese.

Aspects are found by their words. How a sentence feels is asked of a trained model where there is one; otherwise words of
praise and complaint are counted, turned round behind a denial, and where there are none the stars decide. A lexicon finds
what is said plainly and misses irony and hints.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.retrieval.analysis import normalise

Feelings = Callable[[Sequence[str]], NDArray[np.floating]]
"""Sentences to how each feels, float (n,), from -1 (complaint) to 1 (praise)."""

ASPECTS: Final[Mapping[str, tuple[str, str]]] = {
    "quality": ("quality", "质量"),
    "price": ("price", "价格"),
    "fit": ("size and fit", "尺寸"),
    "delivery": ("delivery", "物流"),
    "service": ("service", "服务"),
    "look": ("look", "外观"),
    "taste": ("smell and taste", "气味和口味"),
    "use": ("ease of use", "使用"),
}
"""Aspect to its name in English and Chinese."""

_EN: Final = {
    "quality": "quality built? build made finish(?:ing)? material sturdy flimsy durab\\w+ solid broken? break(?:s|ing|able|age)? fell_apart "
    "falls_apart fabric stitch\\w* seams? crack(?:s|ed|ing)? workmanship defect\\w* worn wears? robust reliab\\w+ lasts? lasted bobbl\\w+ "
    "peel(?:s|ed|ing)?",
    "price": "price\\w* pricey cost\\w* value cheap\\w* expensive money worth bargain overpriced penny paid affordable dear dearer",
    "fit": "fits? fitted size\\w* sizing tight loose narrow wide sleeves? waist length roomy runs small large too_big too_small measure\\w*",
    "delivery": "deliver\\w* shipp\\w+ arriv\\w+ parcel packag\\w+ packed courier post(?:ed|age)? box dispatch\\w*",
    "service": "service staff support refund\\w* return(?:ed|s)? exchange\\w* swapp\\w+ customer_care answer\\w* repl(?:y|ied|ies) warranty seller messages?",
    "look": "look(?:s|ed)? colou?r\\w* design style pretty beautiful\\w* ugly appearance shade elegant stylish photo\\w* picture\\w* glossy",
    "taste": "taste\\w* tasty flavou?r\\w* smell\\w* scent\\w* fragran\\w+ odou?r\\w* aroma\\w* delicious bitter stale bland sour",
    "use": "easy easily simple instructions? manual assembl\\w+ set_?up clean(?:ing)? comfort\\w* uncomfortable noisy loud quiet handy practical works? working heavy light",
}
_ZH: Final = {
    "quality": "质量|做工|材质|面料|用料|结实|耐用|坏了|断了|开裂|起球|掉色|粗糙|精细|扎实|细节|变形|破了|松动|瑕疵",
    "price": "价格|价位|性价比|便宜|贵|值得|很值|不值|划算|实惠|钱",
    "fit": "尺码|尺寸|大小|偏大|偏小|合身|合适|版型|码|袖子|腰|太紧|太松|宽松",
    "delivery": "物流|快递|发货|送货|包装|配送|到货|隔天|收到|送达|才到",
    "service": "客服|服务|售后|退货|换货|退款|回复|态度|卖家|店家|老板",
    "look": "好看|颜色|外观|款式|设计|样子|漂亮|难看|色差|颜值|美观|图片|实物",
    "taste": "味道|口味|口感|气味|香味|异味|好吃|难吃|好喝|香|臭|刺鼻|新鲜",
    "use": "好用|方便|安装|说明书|操作|清洗|舒服|舒适|噪音|声音|实用|难用|上手|轻便|用起来",
}
_GOOD_EN: Final = (
    "good great excellent perfect\\w* love\\w* lovely nice wonderful best happy pleased satisf\\w+ recommend\\w* sturdy solid durable "
    "beautiful\\w* pretty fast quick\\w* easy (?<!break_)(?<!breaks_)easily comfort\\w* worth soft well tasty delicious flawless bargain elegant stylish "
    "reliable robust quiet handy practical impressed amazing superb early fresh helpful friendly true flatter\\w* right without_fuss"
)
_BAD_EN: Final = (
    "bad poor\\w* terrible awful horrible worst disappoint\\w* hate\\w* broken? break(?:s|ing|able)? flimsy ugly slow(?:er|ly)?(?!_cook) late "
    "torn tore damaged defective useless waste(?:d|s)? overpriced expensive uncomfortable noisy loud cheaply fell_apart falls_apart wrong "
    "refus\\w+ nobody never_(?:again|arriv\\w+|buy|order|received|comes?|came|works?|worked|fits?|sits?)(?!_(?:loose|off|apart|undone)) "
    "stale bitter bland smelly itch\\w* sloppy "
    "crack(?:s|ed|ing)? leak(?:s|ed|y|ing)?(?![_-](?:proof|free)) peel(?:ed|ing) peels?_off (?:start|starts|started|began)_to_peel bobbl\\w+ regret\\w* faulty stuck "
    "scratched (?:colou?rs?|dye)_ran ran_small ran_large faded fades tight short small narrow rude missing weak worse less "
    "stopped_working not_work(?:ing)? (?:does|did|do|wo)n['’]?t_work (?:not|(?:wo|would)n['’]?t)_buy_(?:\\w+_){0,2}again"
)
_GOOD_ZH: Final = (
    "好看|好用|好吃|好喝|很好|不错|满意|喜欢|推荐|完美|精细|精致|结实|扎实|耐用|舒服|舒适|方便(?!面)|很快(?!就?[坏断破掉烂])|划算|实惠|很值|值得|"
    "性价比[很超真挺也还]*高|漂亮|柔软|软软|合身|合适|很准|到位|新鲜|清晰|安静|完好|严实|爽快|惊喜|好评|超值|给力|亲肤|厚实|很香|轻便|赞|回购"
)
_BAD_ZH: Final = (
    "(?<![出时相温])差(?!不多|价|旅|别|异)|失望|难看|难用|难吃|坏了|破了|断了|开裂|起球|掉色|粗糙|变形|太慢|才到|偏小|偏大|太紧|太松|刺鼻|异味|不值(?!得)|"
    "太贵|性价比(?:不高|很?低)|后悔|垃圾(?![桶袋箱])|退货|推脱|爱答不理|瑕疵|松动|色差|噪音(?!很?[小低])|(?<!包)扎(?![实带染头马辫])|(?<!止)痒|硌|漏(?![斗勺])|"
    "(?<!缩)短了|糟|(?<![灿绚软])烂(?!漫)|敷衍|(?<!还)没用(?![过几])|卡顿|不符|(?<!好)不(?:太|怎么|够|算|那么)?好(?!意思|看|用|吃|喝|说|评)|不怎么样|不咋[样地的]|不敢恭维|质量不行|不会再[买来]|再也不会?[买来]|不再买|"
    "(?<![特分])别买(?!错)|不要买"
)
_NOT_EN: Final = r"(?:is|are|was|were|do|does|did|has|have|had|wo|ca|could|would|should)n['’]?t"
_DENIAL_EN: Final = re.compile(
    rf"(?<![a-z])(?:not|no|never|cannot|hardly|without|nothing|{_NOT_EN})\s+(?!(?:doubt|wonder|only|just|hesitate|be more|say enough|believe how)\b)"
    r"(?:(?:think|believe|feel|find|say)\s+(?:that\s+)?)?(?:(?!but\b)[\w'’]+\s+){0,2}$"
)
_DENIAL_ZH: Final = re.compile(
    r"(?:(?<!没)(?<!没有)(?<!一点)(?<!不是)(?<!不会)不|没有?|未|无|防止?|不如[^,.;!?。;]{0,6})"
    r"(?:是|会|能|敢|怎么|太|够|很|特别|那么|这么|觉得|算|上|有|任何|什么|[一半]点|一定|再|出现|发现|明显|值得|让[我你人]?|像|"
    r"(?:想象|预期|图片|照片|宣传|描述|介绍|评论|说|以前|之前|原来|上次|别家|买)[里上中得的]*)*$"
)
_NOT_ENOUGH: Final = re.compile(r"(?<![a-z])(?:can(?:not|['’]?t| not)|could(?:n['’]?t| not)) [^,.;]*$")
_ENOUGH: Final = re.compile(r"(?: \w+){0,4} enough\b")
_ASKED: Final = re.compile(r"(?:好不|是不是|会不会|有没有|能不能)[很太有会]?$")
_SENTENCE: Final = re.compile(
    r"(?<=[.!?;])\s+|[。！？；\n]+|(?<=[，,])\s*(?=(?:but|however|though)\b)|，(?=但|不过|可是|就是)"
)


def _english(words: str) -> re.Pattern[str]:
    """Any of some words; ``_`` stands for a space within one."""
    return re.compile(rf"\b(?:{'|'.join(words.split()).replace('_', ' ')})\b")


_SPOKEN: Final = {name: (_english(_EN[name]), re.compile(_ZH[name])) for name in ASPECTS}
_GOOD: Final = (_english(_GOOD_EN), re.compile(_GOOD_ZH))
_BAD: Final = (_english(_BAD_EN), re.compile(_BAD_ZH))
_DENIED: Final = (_DENIAL_EN, _DENIAL_ZH)
_BEFORE: Final = 32


@dataclass(frozen=True, slots=True)
class Saying:
    """What a sentence says about an aspect.

    Attributes:
        aspect: One of `ASPECTS`.
        feeling: From -1 (complaint) to 1 (praise).
        sentence: The words.
    """

    aspect: str
    feeling: float
    sentence: str


def sayings(text: str, rating: float | None = None, feelings: Feelings | None = None) -> list[Saying]:
    """What a review says about which aspects, in its order; an aspect once a sentence.

    Args:
        text: Of the review.
        rating: Its stars, 1 to 5; they decide where a sentence has no word of praise or complaint.
        feelings: A trained model; None for words alone.

    >>> [(one.aspect, one.feeling) for one in sayings("Well made. But it took weeks to arrive and the box was torn.")]
    [('quality', 1.0), ('delivery', -1.0)]
    """
    spoken = [(sentence, aspects) for sentence in sentences(text) if (aspects := aspects_of(sentence))]
    if not spoken:
        return []
    stars = 0.0 if rating is None else float(np.clip((rating - 3) / 2, -1, 1))
    if feelings is not None:
        felt = np.asarray(feelings([sentence for sentence, _ in spoken]), dtype=np.float64)
    else:
        felt = np.array([feeling(sentence) or stars for sentence, _ in spoken])
    return [
        Saying(aspect, float(value), sentence)
        for (sentence, aspects), value in zip(spoken, felt, strict=True)
        for aspect in aspects
    ]


def sentences(text: str) -> list[str]:
    """The sentences of a text, also cut where it turns ("but", 但)."""
    return [part.strip() for part in _SENTENCE.split(text) if part and part.strip()]


def aspects_of(sentence: str) -> list[str]:
    """The aspects that a sentence speaks of."""
    plain = normalise(sentence)
    return [name for name, patterns in _SPOKEN.items() if any(pattern.search(plain) for pattern in patterns)]


def feeling(text: str) -> float:
    """How a text feels by its words of praise and complaint, from -1 to 1; 0 where there are none, or as many of both.

    >>> feeling("not good at all"), feeling("质量很好"), feeling("It is a chair.")
    (-1.0, 1.0, 0.0)
    """
    plain = normalise(text)
    score = 0
    for patterns, sign in ((_GOOD, 1), (_BAD, -1)):
        for pattern, denied in zip(patterns, _DENIED, strict=True):
            for found in pattern.finditer(plain):
                before = plain[max(0, found.start() - _BEFORE) : found.start()]
                if _ASKED.search(before):
                    continue
                turned = denied.search(before) and not (
                    _ENOUGH.match(plain, found.end()) and _NOT_ENOUGH.search(before)
                )
                score += -sign if turned else sign
    return float(np.sign(score))
