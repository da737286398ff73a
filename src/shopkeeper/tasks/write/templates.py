"""Copy without a language model: frames filled with an item's facts, bullet points, and summaries of reviews."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Final

from shopkeeper.retrieval.aspects import ASPECTS
from shopkeeper.tasks.write.briefs import Brief
from shopkeeper.tasks.write.facts import Facts, Feature, Said
from shopkeeper.tasks.write.frames import CHINESE, ENGLISH
from shopkeeper.tasks.write.length import characters, fitting, shortened

_SHORTEST_NAME: Final = {"en": 8, "zh": 4}
_OPTIONAL: Final = frozenset(["details", "sentence", "sentences"])
_BULLETS: Final = ("attribute", "brand", "praise", "price", "season")


@dataclass(frozen=True, slots=True)
class Draft:
    """A text before it is checked, and what it leads with."""

    lead: str
    text: str


def drafts(facts: Facts, brief: Brief) -> list[Draft]:
    """Candidates from frames, each within the limits, no two the same."""
    limits = brief.limits(facts.language)
    if brief.kind == "bullets":
        made = list(_bullets(facts, limits[-1], brief.tone))
    elif brief.kind == "reviews":
        made = list(_summaries(facts, limits[-1], brief.tone))
    else:
        frames = (ENGLISH if facts.language == "en" else CHINESE)[brief.kind]
        filled = ((lead, _filled(frame, facts, limits)) for lead, tone, frame in frames if tone in ("", brief.tone))
        made = [Draft(lead, text) for lead, text in filled if text]
    return list({draft.text: draft for draft in reversed(made)}.values())[::-1]


def _filled(frame: str, facts: Facts, limits: Sequence[int]) -> str:
    lines = frame.split("\n")
    done = [_line(line, facts, limits[min(place, len(limits) - 1)]) for place, line in enumerate(lines)]
    return "\n".join(done) if all(done) else ""


def _line(line: str, facts: Facts, limit: int) -> str:
    """A line within its limit: with fewer features, without a sentence, at last with a shorter name; empty where none fits."""
    slots = {name for _, name, _, _ in Formatter().parse(line) if name}
    needed = slots - _OPTIONAL
    told = [_values(facts) | _told(facts.features[:count], facts.language) for count in (3, 2, 1, 0)]
    told = [values for values in told if all(values[slot] for slot in needed)]
    for values in told:
        if text := _with_sentences(line, values, facts, slots, limit):
            return text
    long = next((slot for slot in ("name", "title") if slot in slots), "")
    if not told or not long:
        return ""
    room = limit + 1 - characters(_said(line, told[-1] | {long: "x"}))
    short = shortened(told[-1][long], room)
    return _said(line, told[-1] | {long: short}) if characters(short) >= _SHORTEST_NAME[facts.language] else ""


def _with_sentences(line: str, values: Mapping[str, str], facts: Facts, slots: set[str], limit: int) -> str:
    bare = _said(line, values)
    if characters(bare) > limit:
        return ""
    if not slots & {"sentence", "sentences"}:
        return bare
    room = limit - characters(bare) - 1
    if "sentences" in slots:
        said = fitting(facts.sentences, room, _glue(facts.language))
    else:
        said = next((sentence for sentence in facts.sentences if characters(sentence) <= room), "")
    return _said(line, {**values, "sentence": said, "sentences": said})


def _values(facts: Facts) -> dict[str, str]:
    item, praise = facts.item, facts.praise
    side = 0 if facts.language == "en" else 1
    return {
        "title": item.title,
        "name": facts.name,
        "brand": item.brand if facts.branded else "",
        "shelf": item.category[-1] if item.category else "",
        "price": facts.price,
        "season": facts.season,
        "Season": _capital(facts.season),
        "aspect": ASPECTS[praise.aspect][side] if praise else "",
        "praise": str(praise.praise) if praise else "",
        "of": str(facts.reviews) if praise else "",
    }


def _told(features: Sequence[Feature], language: str) -> dict[str, str]:
    texts = [feature.text for feature in features]
    named = [f"{feature.name}: {feature.value}" for feature in features]
    if language == "zh":
        joined, details = "，".join(texts), "，".join(part.replace(": ", "：") for part in named)
        return {"feature": "".join(texts[:1]), "features": joined, "details": details + "。" if named else ""}
    joined, details = ", ".join(texts), "; ".join(named)
    first = "".join(texts[:1])
    return {
        "feature": first,
        "Feature": _capital(first),
        "features": joined,
        "Features": _capital(joined),
        "details": _capital(details) + "." if named else "",
    }


def _bullets(facts: Facts, limit: int, tone: str) -> Iterator[Draft]:
    """Points in different orders: what leads comes first, then the rest."""
    zh = facts.language == "zh"
    colon = "：" if zh else ": "
    points: dict[str, list[str]] = {
        "attribute": [_capital(f"{one.name}{colon}{one.value}") for one in facts.features[:3]],
        "brand": [f"{'品牌' if zh else 'Brand'}{colon}{facts.item.brand}"] if facts.item.brand else [],
        "price": [f"{'售价' if zh else 'Price'}{colon}{facts.price}"] if facts.price else [],
        "season": [f"{'季节' if zh else 'Season'}{colon}{facts.season}"] if facts.season else [],
        "praise": [],
    }
    if praise := facts.praise:
        name = ASPECTS[praise.aspect][zh]
        points["praise"] = [
            f"{facts.reviews}条评价中{praise.praise}人称赞{name}"
            if zh
            else f"{praise.praise} of {facts.reviews} buyers praise the {name}"
        ]
    told = [sentence.rstrip("。.") for sentence in facts.sentences]
    words = told if tone != "brisk" else told[:1]
    for lead in _BULLETS:
        if points[lead]:
            rest = [point for other in _BULLETS if other not in (lead, "price", "season") for point in points[other]]
            chosen = [*points[lead], *words[:2], *rest] if tone != "brisk" else [*points[lead], *rest, *words]
            fits = [point for point in dict.fromkeys(chosen) if characters(point) <= limit][:5]
            if len(fits) > 1:
                yield Draft(lead, "\n".join(fits))


def _summaries(facts: Facts, limit: int, tone: str) -> Iterator[Draft]:
    """What buyers praise and complain about, with counts; with and without their own words."""
    if not facts.said:
        return
    zh = facts.language == "zh"
    dated = f"截至{facts.until}" if facts.until and zh else f" until {facts.until}" if facts.until else ""
    opening = (
        f"{dated}共{facts.reviews}条评价。"
        if zh
        else f"{facts.reviews} review{'s' if facts.reviews > 1 else ''}{dated}."
    )
    good = sorted((one for one in facts.said if one.praise), key=lambda one: -one.praise)[:3]
    bad = sorted((one for one in facts.said if one.complaint), key=lambda one: -one.complaint)[:2]
    for lead, quoted, order in (
        ("praise", True, ((good, True), (bad, False))),
        ("complaint", True, ((bad, False), (good, True))),
        ("counts", False, ((good, True), (bad, False))),
        ("short", True, ((good[:1], True), (bad[:1], False))),
    ):
        said = [_counted(one, praising, quoted and tone != "brisk", zh) for part, praising in order for one in part]
        text = fitting([opening, *said], limit, _glue(facts.language))
        if text != opening:
            yield Draft(lead, text)


def _counted(said: Said, praising: bool, quoted: bool, zh: bool) -> str:
    count, quote = (said.praise, said.praised) if praising else (said.complaint, said.complained)
    aspect, quote = ASPECTS[said.aspect][zh], quote if quoted else ""
    if zh:
        return f"{count}人{'称赞' if praising else '抱怨'}{aspect}{f'（“{quote}”）' if quote else ''}。"
    verb = (
        ("praises" if praising else "complains about") if count == 1 else ("praise" if praising else "complain about")
    )
    return f"{count} {'buyer' if count == 1 else 'buyers'} {verb} the {aspect}{f' (“{quote}”)' if quote else ''}."


def _said(line: str, values: Mapping[str, str]) -> str:
    text = " ".join(line.format_map({**dict.fromkeys(("details", "sentence", "sentences"), ""), **values}).split())
    for twice in ("..", "。。", "？。", "?."):
        text = text.replace(twice, twice[0])
    return text.strip()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _glue(language: str) -> str:
    return "" if language == "zh" else " "
