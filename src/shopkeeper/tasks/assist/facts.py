"""Facts of goods: price, stock, size, material, what the page and the buyers say.

Whatever is said stands in a field of the item or is a sentence of its page, quoted; what the page does not say is not
guessed. Items that are sold out or no longer offered are spoken of as such, and never recommended.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from shopkeeper.records import Availability, Item, PassageKind
from shopkeeper.retrieval.analysis import terms
from shopkeeper.tasks.assist.orders import ordinal
from shopkeeper.tasks.assist.sentences import Speech
from shopkeeper.tasks.assist.situation import Counter, Draft, Situation, asked, draft
from shopkeeper.tasks.assist.turns import Citation
from shopkeeper.tasks.money import money
from shopkeeper.trust.safety import redacted

_NAMES: Final = (
    ("colour", "color", "colours", "colors", "shade", "颜色", "什么色", "色"),
    (
        "size",
        "sizes",
        "dimensions",
        "measurements",
        "how big",
        "how large",
        "规格",
        "尺寸",
        "尺码",
        "多大",
        "大小",
        "码数",
    ),
    ("material", "made of", "made from", "made out of", "fabric", "材质", "材料", "面料", "什么做的"),
    ("style", "风格", "款式"),
    ("seats", "座位数", "几人座", "几个人坐"),
    ("roast", "烘焙度"),
    ("origin", "where is it from", "come from", "产地", "哪里产", "哪产"),
    ("taste", "flavour", "flavor", "口味", "味道"),
    ("fits", "fit", "compatible", "适用", "适合什么型号", "能用在"),
    ("storage", "capacity", "gb", "存储容量", "容量", "内存"),
    ("weight", "how heavy", "weigh", "克重", "多重", "重量"),
    ("pages", "how many pages", "内页", "多少页"),
    ("finish", "质地"),
    ("spf", "sun protection", "防晒指数"),
    ("skin", "skin type", "适合肤质", "肤质", "什么皮肤"),
    ("hair", "hair type", "适合发质", "发质"),
    ("scent", "smell", "fragrance", "香型", "气味", "什么味"),
    ("pieces", "how many pieces", "数量", "几件", "多少件", "几个"),
    ("age", "how old", "适用年龄", "几岁", "多大孩子"),
    ("animal", "动物"),
    ("picture", "pattern", "图案"),
    ("plant", "品种"),
    ("variety", "种类"),
    ("brand", "make", "who makes", "manufacturer", "品牌", "牌子", "哪家的", "厂家"),
)
"""Names of attributes in both languages, and how else one asks for them."""
_PRICE: Final = re.compile(r"\b(?:price|cost|costs|how much|expensive)\b|多少钱|价格|价钱|几块|售价|贵不贵|啥价")
_STOCK: Final = re.compile(
    r"\b(?:in stock|available|availability|sold out|out of stock|still have|buy it now|get it now)\b|有货|现货|缺货|售罄|库存|有没有货|还有吗|卖完"
)
RATED: Final = re.compile(
    r"\b(?:reviews?|ratings?|rated|stars?|buyers|customers|people) ?(?:say|think|like|like it)?\b|评价|评分|口碑|好评|差评|买家|反馈|好不好用|质量怎么样"
)
_QUESTION_WORDS: Final = frozenset(
    term
    for term in terms(
        "is it the this that a an of for in on with does do can what which how and or to are these those they them has have i "
        "you my me be will would there its one please tell about know want any product item thing "
        "这 那 个 款 件 双 的 吗 呢 是 不 有 没有 什么 怎么 多少 可以 能 请问 我 你 您 想 知道 一下 了 它 商品 会"
    )
)
_SENTENCES: Final = re.compile(r"(?<=[。！？!?])|(?<=\.)\s+")
_STOCKED: Final = {
    Availability.IN_STOCK: "in_stock",
    Availability.OUT_OF_STOCK: "out_of_stock",
    Availability.PREORDER: "preorder",
    Availability.BACKORDER: "backorder",
}
_LONGEST_QUOTE: Final = 160


def facts_of(item: Item) -> tuple[str, ...]:
    """All that may be said of an item, in words."""
    told = [item.title, item.brand, " ".join(item.category), item.description]
    told += [f"{name}: {value}" for name, value in item.attributes.items()]
    told += [] if item.price is None else [money(item.price, item.currency)]
    told += list(item.codes)
    return tuple(fact for fact in told if fact)


def cited(item: Item, words: str = "") -> Citation:
    """An item as what a reply rests on."""
    return Citation(source="product", id=item.id, title=item.title, text=words or item.text)


def meant(situation: Situation, counter: Counter) -> list[Item]:
    """Which items a turn is about: those it names, or the place it names among those shown, or the page, or the last one."""
    named = [mention.value for mention in situation.mentioned("product")]
    shown = situation.memory.items
    if not named and (place := ordinal(situation.text)) is not None and len(shown) > 1 and place < len(shown):
        named = [shown[place]]
    if not named and situation.turn.item:
        named = [situation.turn.item]
    if not named:
        named = list(shown[:1])
    return [item for name in dict.fromkeys(named) if (item := counter.item(name)) is not None]


def product(situation: Situation, counter: Counter) -> Draft | None:
    """Answer a question about one item from its fields and its page."""
    if situation.memory.awaits == "product" and situation.said:  # what was asked before "which one?" is the question
        situation = replace(situation, text=f"{situation.said[-1]} {situation.text}")
    items = meant(situation, counter)
    if not items:
        return asked(situation, situation.speech().say("which_product"), "product")
    return _told(items[0], situation, counter)


def page(situation: Situation, counter: Counter) -> Draft | None:
    """The same where the turn asks for something that the item's fields or page do say; None elsewhere."""
    items = meant(situation, counter)
    if not items or items[0].hidden:
        return None
    item, low = items[0], situation.text.lower()
    asks = _PRICE.search(low) or _STOCK.search(low) or RATED.search(low) or _attributes(item, low)
    return _told(item, situation, counter) if asks or _page(item, situation, counter, strict=True) else None


def _told(item: Item, situation: Situation, counter: Counter) -> Draft:
    """All that a turn asks of an item."""
    speech = situation.speech()
    if item.hidden:
        return draft(situation, "answer", speech.say("gone", title=item.title), facts=[item.title], items=(item.id,))
    low = situation.text.lower()
    citations = [cited(item)]
    if _PRICE.search(low) or situation.chance("price") >= 0.5:
        price_told(item, speech)
    if _STOCK.search(low) or situation.chance("stock") >= 0.5 or not item.availability.sellable:
        speech.say(_STOCKED[item.availability], title=item.title)
    for name, value in _attributes(item, low):
        speech.say("has", name=name, title=item.title, value=value)
    if RATED.search(low) or situation.chance("review_question") >= 0.5:
        citations += reviews_told(item, counter, speech)
    if not speech.parts or (len(speech.parts) == 1 and not item.availability.sellable and not _STOCK.search(low)):
        words = _page(item, situation, counter)
        if words:
            speech.say("page_says", title=item.title, words=words)
        else:
            speech.say("page_silent", title=item.title)
    facts = [*facts_of(item), *(citation.text for citation in citations)]
    return draft(situation, "answer", speech, facts=facts, citations=citations, items=(item.id,), phrasable=True)


def price_told(item: Item, speech: Speech) -> None:
    """Say what an item costs."""
    if item.price is None:
        speech.say("no_price", title=item.title)
    else:
        speech.say("price", title=item.title, price=money(item.price, item.currency))


def _attributes(item: Item, low: str) -> list[tuple[str, str]]:
    """The attributes that a question names, as the item has them."""
    own = {**item.attributes, **({"brand": item.brand} if item.brand else {})}
    found = []
    for name, value in own.items():
        called = next((names for names in _NAMES if name.lower() in names), (name.lower(),))
        if any(_stands(word, low) for word in called):
            found.append((name, value))
    return found


def _stands(word: str, low: str) -> bool:
    return word in low if not word.isascii() else re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", low) is not None


def _page(item: Item, situation: Situation, counter: Counter, *, strict: bool = False) -> str:
    """The sentence of an item's page that shares most with the question, or the attribute; empty where none does.

    Args:
        item: Whose page.
        situation: With the question.
        counter: Finds what is alike in meaning.
        strict: Only words that both hold; and half of the question's.
    """
    asked_for = set(terms(situation.text)) - _QUESTION_WORDS - set(terms(item.title)) - set(terms(item.brand))
    lines = [line.strip() for line in _SENTENCES.split(item.description) if line.strip()]
    lines += [f"{name}: {value}" for name, value in item.attributes.items()]
    lines.append(item.title)
    titled = (set(terms(situation.text)) - _QUESTION_WORDS) & set(terms(item.title))
    shared = [len((asked_for if line != item.title else titled) & set(terms(line))) for line in lines]
    best = max(range(len(lines)), key=lambda place: (shared[place], -place))
    if asked_for and shared[best] and (not strict or 2 * shared[best] >= len(asked_for)):
        return _short(lines[best])
    if strict:
        return ""
    for found in counter.index.find(situation.text, language="", items=(item.id,), k=3):
        if found.item == item.id and found.score >= 0.5 and found.passage is None:
            return _short(found.text)
    return ""


def _short(words: str) -> str:
    return words if len(words) <= _LONGEST_QUOTE else words[:_LONGEST_QUOTE].rsplit(" ", 1)[0] + " …"


def reviews_told(item: Item, counter: Counter, speech: Speech) -> list[Citation]:
    """Say how buyers rate an item, with one that praises and one that complains."""
    found = [passage for passage in counter.reviews(item.id) if passage.kind is PassageKind.REVIEW]
    rated = [(passage.rating, passage) for passage in found if passage.rating is not None]
    mean = counter.stars(passage for _, passage in rated)
    if mean is None:
        speech.say("no_reviews", title=item.title)
        return []
    stars = f"{mean:.1f}"
    speech.say("stars", title=item.title, stars=stars, count=len(rated))
    best, worst = max(rated, key=lambda each: each[0]), min(rated, key=lambda each: each[0])
    told = [best[1]] if best[0] == worst[0] else [best[1], worst[1]]
    citations = [
        Citation(
            source="review",
            id=item.id,
            title=item.title,
            text=f"{stars} of 5 stars, {len(rated)} reviews. {stars}分，{len(rated)}条评价。",
        )
    ]
    for key, passage in zip(("one_says", "another_says"), told, strict=False):
        words = _short(redacted(passage.text))
        speech.say(key, words=words)
        citations.append(Citation(source="review", id=passage.id, title=item.title, text=words))
    return citations
