"""Recommending: what was wished for in several turns becomes one search, through the same task that the shop's search uses.

"Something for running", "under 50", "in blue": what is said later is added; a later price or colour takes the place of an
earlier one; a new thing begins anew. The customer and the session go along, so that taste shapes the hits as anywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from shopkeeper.records import Filters, Hit, Item, Request
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.understanding.colours import SAME
from shopkeeper.retrieval.understanding.nouns import Understood as Wish
from shopkeeper.retrieval.understanding.prices import prices
from shopkeeper.retrieval.understanding.quantities import sizes
from shopkeeper.retrieval.understanding.script import lowered
from shopkeeper.tasks.assist.facts import cited, facts_of
from shopkeeper.tasks.assist.sentences import SENTENCES, Speech, listed, side
from shopkeeper.tasks.assist.situation import HOLDS, Counter, Draft, Situation, asked, draft
from shopkeeper.tasks.money import money

SURFACE: Final = "assistant"
_LOOKED_AT: Final = 40
"""Hits of the search among which those of the right colour and size are looked for."""
_SHOWN: Final = 6
_TOLD: Final = 3
_REMEMBERED: Final = 8
_FILLER: Final = re.compile(
    r"(?<![\w'])(?:hi|hello|hey|please|thanks|thank you|could you|can you|would you|will you|do you (?:have|sell|carry|stock)|have you got|got any|"
    r"(?:i am|i'm|im|we are|we're) (?:looking|searching|shopping|hunting) for|looking for|searching for|i (?:would|'d) like|i'd like|i (?:want|need|wish|prefer)(?: to (?:buy|get|have|find))?|"
    r"(?:can|could|would) you (?:recommend|suggest|show|find)(?: me| us)?|recommend(?: me)?|suggest(?:ions?)?(?: me)?|show me|find me|help me (?:find|choose|pick)|give me|"
    r"what (?:do|would|can) you (?:recommend|suggest|have)|what about|how about|any (?:ideas?|suggestions?|recommendations?)|is there|are there|something|anything|some|any|"
    r"a gift|good|nice|great|best|maybe|perhaps|also|and it should be|it should be|should be|it must be|must be|preferably|ideally|ones?|that (?:is|are)|which (?:is|are)|"
    r"me|us|my|i|for me|to buy|the|a|an|it|they|them|those|these|be|is|are|in|of|and|but|or|with|if possible|instead|rather|then|only|just|make it|do you have|you|have|there|what)(?![\w'])"
    r"|请问|请|麻烦|您好|你好|有没有|有什么|有哪些|能不能|可以|帮我|给我|我想要?买?|我要买?|想要?买?|想找|我在找|找一?[个款件双条台]?|推荐一?下?[个款件双条台些]?|介绍一?下?|来一?[个款件双条台]|"
    r"一?[个款件双条台些](?=的|$)|最好是?|希望是?|要是|如果是?|比较|一点|一些|适合的|合适的|好的|好用的|不错的|吗|呢|吧|啊|呀|哦|的话|有吗|谢谢|那种|那|就|还|也|只要|想|买|什么|东西|商品|产品|换成|换|要"
)
_COLOUR: Final = re.compile(
    "|".join(
        rf"(?<![a-z]){re.escape(name)}(?![a-z])" if name.isascii() else re.escape(name)
        for name in sorted((name for name in SAME if len(name) > 1 or not name.isascii()), key=len, reverse=True)
        if len(name) > 1
    )
)
_ASKS_FOR: Final = re.compile(
    r"\b(?:looking|search\w*|need|want|buy|get|show|see|find|recommend|suggest\w*|have|any|sell|gift|present|tips?|ideas?|options?)\b"
    r"|(?<!\bi )(?<!\bi've )(?<!\bjust )\bgot\b|\b(?:i'm|im|i am|we're|we are) after\b"
    r"|(?<!不)买(?![的了过])|找|推荐|看看|给我看|需要|缺|想要|有没有|有.{1,12}吗|挑|选|来[个款件双条台]|求"
)
_FAULT: Final = re.compile(
    r"\b(?:i (?:just )?(?:bought|got|received|ordered)|i've (?:bought|got|received)|you (?:sent|delivered|shipped)|my (?!wife|husband|friend)(?:\w+ ){1,3}|(?:it|they|parcel|package|item|order|everything) (?:has |have |just )?(?:arrived|came))\b[^.?!]{0,60}?"
    r"\b(?:stopped working|(?:does|do|did)(?:n't| not) (?:even )?(?:work|turn on|switch on)|not working|broke|broken|damaged|defective|faulty|leak(?:s|ing|ed)?|cracked|shattered|fell apart|in pieces|wrong (?:item|thing|product|size|colou?r|one|article|model|order))\b"
    r"|\b(?:sent|got|received|delivered) (?:me |us )?(?:the |a )?wrong (?:item|thing|product|size|colou?r|one|article|model|order)\b|\b(?:never|not) (?:buy|buying|order|ordering|shop|shopping) (?:here|from you|anything)(?: \w+)? again\b"
    r"|(?:买的|买了|买来|收到|寄来|发来|到手|送来|你们的)[^。?？!！]{0,12}?(?:坏了|坏的|就坏|漏水|漏油|漏气|漏电|漏了|在漏|破了|破的|碎了|碎的|裂了|裂开|散架|不能用|用不了|没反应|不工作|不亮|不转|假货|有毛病|(?<!没)有问题|发错|不对|少了)"
    r"|(?:发|寄|送)错(?:了|货|东西|商品)|[漏少]发|再也不(?:会)?(?:在[^,，。]{0,6})?买|(?:质量|品质|做工)(?:真的|真是|真|也)?(?:太|好|很|非常|特别|极|超)?(?:差劲|差|烂|垃圾)(?!评|别|不|吗|么|的吗)"
)
"""Something bought is broken, or is not what was ordered."""
_NEW_ONE: Final = re.compile(
    r"\b(?:recommend|suggest|looking for|new one|(?:need|want|buy|get) (?:a |an )?(?:new|another)|do you (?:have|sell)|people|reviews?|anyone|customers|buyers)\b|\b(?:will|would|could|might|what if|in case) "
    r"|推荐|新的|想买|再买[一个]|要买|有没有|买家|评价|别人|有人|大家|会不会|会(?:漏|坏|碎|裂)|如果|万一"
)
"""Another one is wished for, or it is asked what may happen and what others found."""
_FOR_WHOM: Final = re.compile(
    r"\bfor (?:my |a |an |the )?(?:girlfriend|boyfriend|wife|husband|mother|mom|mum|father|dad|parents?|friends?|son|daughter|brother|sister|colleagues?|boss|teacher|lawyer|kids?|child(?:ren)?|grandma|grandpa|him|her|them)\b|\b(?:gifts?|presents?)\b"
    r"|送?给?(?:我的?)?(?:女朋友|男朋友|女友|男友|老婆|老公|妻子|丈夫|妈妈|爸爸|父母|爸妈|我妈|我爸|老妈|老爸|孩子|小孩|儿子|女儿|朋友|同学|同事|闺蜜|老师|长辈|爷爷|奶奶|领导|客户|律师|孕妇)(?:的|做|过)?|生日|礼物|礼品|送礼|送人|送|什么好|好"
)
"""A gift for whom; it says nothing about what."""
_LONGEST_WISH: Final = 10
_AGAIN: Final = re.compile(
    r"\b(?:more|others?|else|another|different|alternatives?|next)\b|还有别的|其他|别的|换一批|再来|更多"
)


def refines(situation: Situation, counter: Counter) -> bool:
    """Does a turn only narrow down what was wished for before: a price, a colour, a size, "others"?"""
    if not situation.memory.wishes:
        return False
    wish = counter.wish(situation.text)
    chips = {chip.kind for chip in wish.chips} - {"category", "spelling", "pinyin", "synonym"}
    bare = _content(situation.text, wish)
    return (
        bool(chips) or bool(_COLOUR.search(lowered(situation.text))) or bool(_AGAIN.search(situation.text.lower()))
    ) and len(bare) <= 1


def complains(text: str) -> bool:
    """Is something that was bought broken, or not what was ordered?

    >>> complains("The kettle I bought stopped working"), complains("买的水壶漏水"), complains("Got a new kettle?")
    (True, True, False)
    """
    low = text.lower().replace("’", "'")
    return bool(_FAULT.search(low)) and not _NEW_ONE.search(low)


def only_for_whom(situation: Situation, _counter: Counter) -> bool:
    """Is a gift wished for, and only said for whom? Then there is nothing yet to search for."""
    said = wish_of(situation.text)
    low = situation.text.lower()
    if (
        situation.memory.wishes
        or not _FOR_WHOM.search(said)
        or not re.search(r"\b(?:gifts?|presents?)\b|礼物|礼品|送", low)
    ):
        return False
    return not re.sub(r"\bfor\b|[\W_]+", "", _FOR_WHOM.sub(" ", said))


def sells(situation: Situation, counter: Counter) -> bool:
    """Does a turn ask for a kind of thing that the shop has?"""
    if not _ASKS_FOR.search(situation.text.lower()):
        return False
    upset = situation.chance("complaint") >= HOLDS and not _NEW_ONE.search(situation.text.lower())
    if upset or complains(situation.text):
        return False
    said = wish_of(situation.text)
    return bool(said) and len(terms(said)) <= _LONGEST_WISH and bool(_categories(counter, said))


def sells_at(situation: Situation, counter: Counter) -> bool:
    """The same, with a price."""
    return bool(prices(lowered(situation.text))) and sells(situation, counter)


def recommend(situation: Situation, counter: Counter) -> Draft | None:
    """Show what fits all that was wished for, or what suits the customer where nothing was."""
    wishes = gathered(situation, counter)
    query = " ".join(wishes)
    turn = situation.turn
    if not query or only_for_whom(situation, counter):
        return _for_them(situation, counter)
    exclude = situation.memory.items if _AGAIN.search(situation.text.lower()) else ()
    request = Request(
        query=query, customer=turn.customer, session=turn.session, filters=Filters(exclude=exclude), limit=_LOOKED_AT,
        surface=SURFACE, language=situation.language, time=turn.time, explain=True,
    )  # fmt: skip
    found = counter.search(request)
    values = _values(counter.wish(query))
    fitting = [hit for hit in found.hits if _fits(counter.item(hit.item), query, values)]
    kinds = set(_categories(counter, _COLOUR.sub(" ", lowered(query))))
    if len(wishes) > 1 and situation.memory.items:  # what was shown before is of the kind that is meant
        kinds = {_kind(counter.item(name)) for name in situation.memory.items[:1]}
    if any(_kind(counter.item(hit.item)) in kinds for hit in fitting):
        fitting = [hit for hit in fitting if _kind(counter.item(hit.item)) in kinds]
    key = "found" if fitting and found.found else "close" if found.hits else "none_found"
    speech = situation.speech().say(key, wish=query)
    return _shown(situation, counter, speech, fitting or found.hits, wishes, query)


def gathered(situation: Situation, counter: Counter) -> tuple[str, ...]:
    """Everything wished for so far, this turn included, in the words that say something."""
    said = wish_of(situation.text)
    before = situation.memory.wishes
    if not said:
        return before
    low = lowered(said)
    if before and not _begins(situation, counter, said):
        if prices(low):
            before = tuple(
                _cut(piece, [(bound.start, bound.end) for bound in prices(lowered(piece))]) for piece in before
            )
        if _COLOUR.search(low):
            before = tuple(
                _cut(piece, [match.span() for match in _COLOUR.finditer(lowered(piece))]) for piece in before
            )
        if _AGAIN.search(low) and not prices(low) and not _COLOUR.search(low):
            return before
        return (*(piece for piece in before if piece), said)[-_REMEMBERED:]
    return (said,)


def _begins(situation: Situation, counter: Counter, said: str) -> bool:
    """Is another thing asked for than before? Then what was wished for it no longer counts."""
    if refines(situation, counter):
        return False
    before = set(_categories(counter, " ".join(situation.memory.wishes)))
    now = set(_categories(counter, said))
    return bool(now) and not (before & now)


def _categories(counter: Counter, words: str) -> list[str]:
    return [one.value for one in counter.wish(words).preferences if one.field == "category" and one.certainty >= 0.5]


def wish_of(text: str) -> str:
    """A turn without the words that only ask.

    >>> wish_of("Hi, could you recommend some blue running shoes under $50?")
    'blue running shoes under $50'
    """
    left = _FILLER.sub(
        " ", re.sub(r"[?!.,;:，。？！；：、~]+(?=\s|$|[\u4e00-\u9fff])", " ", text.lower()).replace("’", "'")
    )
    return " ".join(left.split()).strip(" -")


def _content(text: str, wish: Wish) -> list[str]:
    """What is left of a turn beside fillers, constraints and colours: the terms that name a thing or a use."""
    bare = lowered(wish_of(wish.words or text))
    bare = _cut(bare, [(bound.start, bound.end) for bound in prices(bare)])
    bare = _AGAIN.sub(" ", _COLOUR.sub(" ", bare))
    for said in _values(wish):
        bare = bare.replace(said, " ")
    return [term for term in terms(bare) if len(term) > 1 or not term.isascii()]


def _cut(text: str, places: Sequence[tuple[int, int]]) -> str:
    left = list(text)
    for start, end in places:
        left[start:end] = " " * (end - start)
    return " ".join("".join(left).split())


def _kind(item: Item | None) -> str:
    return "" if item is None else " > ".join(item.category)


def _values(wish: Wish) -> list[str]:
    """Attribute values of the catalogue that the words of a wish hold."""
    said = lowered(wish.words)
    named = [lowered(one.value) for one in wish.preferences if one.field not in ("brand", "category", "rating")]
    return [value for value in dict.fromkeys(named) if len(value) > 1 and _stands(value, said)]


def _fits(item: Item | None, query: str, values: Sequence[str]) -> bool:
    """Has an item the colour, size and other values that were asked for? Prices are the search's own business."""
    if item is None:
        return False
    low = lowered(query)
    held = lowered(" ".join((item.title, *item.attributes.values())))
    if not all(_stands(value, held) for value in values):
        return False
    colours = [SAME[match.group()] for match in _COLOUR.finditer(low)]
    if colours and not any(_stands(name, held) for names in colours for name in names):
        return False
    asked_for = [size.value.lower() for size in sizes(low)]
    own = {lowered(value) for value in item.attributes.values()}
    return not asked_for or any(value in own for value in asked_for)


def _stands(name: str, text: str) -> bool:
    return name in text if not name.isascii() else re.search(rf"(?<![a-z]){re.escape(name)}(?![a-z])", text) is not None


def _for_them(situation: Situation, counter: Counter) -> Draft | None:
    """What suits the customer by what they did; a stranger of whom nothing is known is asked what it is for."""
    turn = situation.turn
    ask = asked(situation, situation.speech().say("wish"), "wish")
    if not turn.customer and not turn.session and not turn.item:
        return ask
    request = Request(
        customer=turn.customer, session=turn.session, items=(turn.item,) if turn.item else (), limit=_SHOWN,
        surface=SURFACE, language=situation.language, time=turn.time, explain=True,
    )  # fmt: skip
    hits = counter.recommend(request).hits
    return _shown(situation, counter, situation.speech().say("for_you"), hits, (), "") if hits else ask


def _shown(
    situation: Situation, counter: Counter, speech: Speech, hits: Sequence[Hit], wishes: tuple[str, ...], query: str
) -> Draft:
    """Name the first hits with their prices; all of them go along as cards."""
    hits = tuple(hits[:_SHOWN])
    items = [item for hit in hits if (item := counter.item(hit.item)) is not None]
    told = []
    for item in items[:_TOLD]:
        priced = "" if item.price is None else money(item.price, item.currency)
        told.append(
            SENTENCES["good" if priced else "good_unpriced"][side(situation.language)].format(
                title=item.title, price=priced
            )
        )
    if told:
        speech.quote(listed(told, situation.language) + ("。" if situation.language == "zh" else "."))
    facts = [query, *(fact for item in items for fact in facts_of(item))]
    return draft(
        situation,
        "recommend",
        speech,
        facts=facts,
        citations=[cited(item) for item in items[:_TOLD]],
        hits=hits,
        wishes=wishes,
        items=tuple(item.id for item in items),
    )
