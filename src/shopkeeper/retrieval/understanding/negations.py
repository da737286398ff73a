"""What customers do not want: "not leather", "without a lid", "boots -suede", "不要入耳式", "除了耐克", "不含酒精的".

Much that looks like a negation is a name: "no show socks", "non stick pan", "listen without prejudice", "无线", "不锈钢",
"非洲". So a negator counts only where a wish can stand: in English behind what is searched for, in Chinese before a word
that ends there. What the catalogue itself calls so ("no show" in its titles) stays a name. Texts are in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from shopkeeper.models.chinese import dictionary
from shopkeeper.retrieval.understanding.quantities import sizes

LONGEST = 2
"""English words of one thing that is not wanted."""
_CLOSED_HAN = 8
_WHOLE_HAN = 4

_ENGLISH = re.compile(
    r"(?<![\w'-])(?:(?:but|and|with|that (?:is|are)|which (?:is|are))\s)?"
    r"(?P<marker>not|no|without|w/o|except(?:\sfor)?|excluding|other than|anything but)\s"
)
_MINUS = re.compile(r"(?<=\w\s)-(?P<word>[^\W\d_][\w']+(?:-[\w']+)*)(?=\s|$)")
_NON = re.compile(r"(?<![\w'-])non[- ](?P<word>[a-z]+)(?![\w'-])")
_WORD = re.compile(r"\s?(?P<comma>,\s?)?(?P<word>(?:in|on|over) ear(?![\w'])|[\w'&/]+(?:[-.][\w'&/]+)*)")
_JOINTS = frozenset(["or", "nor", "and"])
_ARTICLES = frozenset(["a", "an", "the", "any"])
_STOPS = re.compile(
    r"for|with|in|on|at|under|over|below|above|between|less|more|up|to|size|sizes|from|by|of|that|which|but|not|"
    r"no|without|around|about|cheaper|cheapest|newest|latest|best|rated|priced|price"
)
_IDIOMS = re.compile(
    r"show|slip|stick|skid|iron|bake|drill|tie|pull|spill|sew|touch|more|time|man|mans|man's|fear|limit|name|"
    r"brand|brainer|contact|frost|rinse|scratch|tear|tears|fuss|kink|crush|mess|roll|stain|tangle|fade|drip|bark|"
    r"chew|dig|rub|snag|wrinkle|doubt|reason|problem|one|way|country|bull|good|return|longer|less|entry|parking|"
    r"smoking|trespassing|pain|gain|shave|wash|heat|cook|prep|churn|knead|scoop|melt|sweat|wire|line|poo|bs|"
    r"nonsense"
)
_NOT_WANTS = re.compile(
    r"your|my|his|her|our|their|a|an|the|to|so|just|only|all|even|yet|another|every|enough|included|me|you|i|it|"
    r"again|today|working|sure|now|safe|afraid|alone"
)
_BEFORE_NOT = re.compile(r"me|or|why|do|does|did|is|was|are|were|can|could|will|would|should|if|i|you|we|they|it|who")

_HAN = re.compile(
    r"(?P<marker>不想要|(?<![要])不要|别要|不含有?|不带|(?<!需)不需要|(?<![删清解免消去开扣])除了|(?<!\S)排除|除开|(?<!有)没有|(?<!\S)不是|(?<![南北西东中是除若])非)"
    r"\s?(?P<object>[\u3400-\u9fffa-z0-9]+(?:[、和或与][\u3400-\u9fffa-z0-9]+)*)"
)
_OUTSIDE = re.compile(r"(?:以外|之外|外)?(?:的)?(?:都可以|都行|都要)?(?=\s|$)|以外的?|之外的?|外的|的")
_SPLIT_HAN = re.compile(r"[、和或与]者?")
_NOT_THINGS = re.compile(
    r"太(?!阳).*|过|很.*|那么|这么|再|买|说.*|钱|脸|问|怕|想|会|能|是|有|用|让|给|停|走|命|犹豫|笑|哭|动|碰|叫|忘.*|别|就|不(?!锈).*"
)
_PLAIN_THINGS = re.compile(r"皮|真皮|皮质|皮革|塑料|金属|羊毛|纯棉|化纤|入耳|入耳式|头戴式|无线|有线|蓝牙|一次性|处方")


class Catalogue(Protocol):
    """What negations ask the catalogue."""

    def knows(self, words: str) -> bool:
        """Whether these words are a value that items have: a material, a colour, a brand."""

    def calls(self, negator: str, words: str) -> bool:
        """Whether its titles use the two as a name, such as "no show"."""


@dataclass(frozen=True, slots=True)
class Negation:
    """Things that are not wanted, and which characters say so."""

    start: int
    end: int
    things: tuple[str, ...]


def negations(text: str, catalogue: Catalogue) -> list[Negation]:
    """What a text in lower case does not want, in order. Blanks stand where other constraints were read out.

    Args:
        text: In lower case; characters that were understood already are two or more blanks.
        catalogue: Tells names and values apart from wishes.
    """
    found = [*_english(text, catalogue), *_minus(text), *_non(text, catalogue), *_chinese(text, catalogue)]
    kept: list[Negation] = []
    for negation in sorted(found, key=lambda negation: negation.start):
        if not kept or negation.start >= kept[-1].end:
            kept.append(negation)
    return kept


def _english(text: str, catalogue: Catalogue) -> Iterator[Negation]:
    named = [(size.start, size.end) for size in sizes(text)]
    for found in _ENGLISH.finditer(text):
        marker = found["marker"].split()[0].replace("w/o", "without")
        words = list(_phrase(text, found.end(), named, articles=marker != "not"))
        before = re.findall(r"[^\W_]+", text[: found.start()])
        if not words or (before and marker == "not" and _BEFORE_NOT.fullmatch(before[-1])):
            continue
        first = words[0]["word"]
        if marker == "not" and _NOT_WANTS.fullmatch(first):
            continue
        if marker == "no" and (_IDIOMS.fullmatch(first) or first.isdigit()):
            continue
        if catalogue.calls(marker, first):
            continue
        if not before:  # "not leather boots": only a value that items have is taken for a wish, and boots stay
            if marker in ("not", "no", "without") and len(words) > 1 and catalogue.knows(first):
                yield Negation(found.start(), words[0].end("word"), (first,))
            continue
        things = _things(text, words, joined=marker != "not")
        if things:
            yield Negation(found.start(), things[-1][1], tuple(thing for thing, _ in things))


def _phrase(text: str, place: int, sizes: Sequence[tuple[int, int]], *, articles: bool) -> Iterator[re.Match[str]]:
    """The words from a place on, as far as they can name what is not wanted."""
    first = True
    while found := _WORD.match(text, place):
        word = found["word"]
        inside = any(start <= found.start("word") < end for start, end in sizes)
        if _STOPS.fullmatch(word) or inside or (word[0].isdigit() and not first) or (found["comma"] and first):
            return
        place = found.end()
        if first and articles and word in _ARTICLES:
            continue
        first = word in _JOINTS or found["comma"] is not None
        yield found


def _things(text: str, words: Sequence[re.Match[str]], *, joined: bool) -> list[tuple[str, int]]:
    """Each thing with the place where its words end; a joint parts them. Of long phrases only the first word counts."""
    parts: list[list[re.Match[str]]] = [[]]
    for word in words:
        joint = word["word"] in _JOINTS
        if joint and word["word"] == "and" and not joined:
            break
        if joint or word["comma"]:
            parts.append([])
        if not joint:
            parts[-1].append(word)
    things = []
    for part in parts:
        if not part:
            continue
        taken = part if len(part) <= LONGEST else part[:1]
        things.append((text[taken[0].start("word") : taken[-1].end("word")], taken[-1].end("word")))
        if len(taken) < len(part):
            break
    return things


def _minus(text: str) -> Iterator[Negation]:
    for found in _MINUS.finditer(text):
        yield Negation(found.start(), found.end(), (found["word"],))


def _non(text: str, catalogue: Catalogue) -> Iterator[Negation]:
    for found in _NON.finditer(text):
        word = found["word"]
        if catalogue.knows(word) and not catalogue.calls("non", word):
            yield Negation(found.start(), found.end(), (word,))


def _chinese(text: str, catalogue: Catalogue) -> Iterator[Negation]:

    def known(thing: str) -> bool:
        return _PLAIN_THINGS.fullmatch(thing) is not None or catalogue.knows(thing)

    place = 0
    while found := _HAN.search(text, place):
        place = found.end("marker")
        marker, run = found["marker"], found["object"]
        word = next(iter(dictionary().cut(run, HMM=False)))
        if (marker not in ("不含", "除了") and _NOT_THINGS.fullmatch(word)) or (marker == "不含" and word == "税"):
            continue
        first = not text[: found.start()].strip()
        taken = _taken(run, first=first, known=known)
        if taken is None:
            continue
        thing, length, closed = taken
        if catalogue.calls(marker, thing):
            continue
        if (marker == "没有" and (not closed or len(thing) > _WHOLE_HAN)) or (marker == "不是" and first):
            continue
        if marker == "非" and not known(thing) and (first or not text[found.start() - 1].isspace() or _grown(thing)):
            continue
        place = found.start("object") + length
        yield Negation(found.start(), place, tuple(part for part in _SPLIT_HAN.split(thing) if part))


def _taken(run: str, *, first: bool, known: Callable[[str], bool]) -> tuple[str, int, bool] | None:
    """Of the characters behind a negator: the thing, how many characters speak of it, and whether 的 closes it."""
    for found in _OUTSIDE.finditer(run):
        thing = run[: found.start()]
        if found.end() == found.start():
            break
        if thing and len(thing) <= _CLOSED_HAN:
            return thing, found.end(), True
    if len(run) <= _WHOLE_HAN and (not first or _single(run)):
        return run, len(run), False
    if known(run):
        return run, len(run), False
    for length in range(min(_WHOLE_HAN, len(run)), 0, -1):
        if known(run[:length]):
            return run[:length], length, False
    thing = next(iter(dictionary().cut(run, HMM=False)), "")
    return (thing, len(thing), False) if thing else None


def _grown(thing: str) -> bool:
    """Whether 非 belongs to a longer word (非洲) or stands before more than one."""
    return not _single(thing) or next(iter(dictionary().cut(f"非{thing}", HMM=False))) != "非"


def _single(text: str) -> bool:
    return len(list(dictionary().cut(text, HMM=False))) == 1
