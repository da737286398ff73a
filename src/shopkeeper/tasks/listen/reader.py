"""Posts in, readings out: language, copies, feeling, topics, entities, dangers and events, many posts at a time.

Everything here takes a fraction of a millisecond a post: dictionaries, n-grams, vectors of words that are looked up. What
was learnt (`listen.models`) takes the place of the words where it is live.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from shopkeeper.models.tagging.text_tagger import TextTagger
from shopkeeper.records import Passage
from shopkeeper.retrieval.aspects import aspects_of, sentences
from shopkeeper.retrieval.aspects import feeling as plain_feeling
from shopkeeper.retrieval.near_duplicates import NearDuplicates
from shopkeeper.store.feeds.items import guess_language
from shopkeeper.tasks.listen.groups import Groups
from shopkeeper.tasks.listen.models import NOT_US, Judge, marked
from shopkeeper.tasks.listen.phrases import Phrases, fold
from shopkeeper.tasks.listen.reading import Concern, Reading
from shopkeeper.tasks.listen.vectors import WordVectors, telling
from shopkeeper.tasks.listen.words import EVENTS, HARMLESS, MOODS, RISKS, SHOP, Label, Mode, phrases_of

_MOST_CHARACTERS: Final = 4_000
_SENTENCES: Final = 40
_TOPICS: Final = 3
_LIKE_TOPIC: Final = 0.5
_SURELY_NOT_US: Final = 0.8
_COMPANY: Final = frozenset(("company", "org", "organisation", "organization", "公司", "机构"))
_CLAUSE: Final = re.compile(r"(?<!\d)[,，、](?!\d)")
_DENIED: Final = re.compile(
    r"(?:(?:(?<!有)没有|没(?!有)|未)过?|(?<!是)(?<!难道)不是|(?<!会)不会|(?<!能)不能|不(?![是会能])|并非|绝非|(?<!有)无|防止?|杜绝)"
    r"(?:任何|(?:出现|发生|发现|遇到|碰到|买到)过?|存在|参与|涉嫌|涉及|什么|[一半]点|[用必]?担心|怕|那么|这么|容易|易|可能|曾|被|再|有|是|会|能|含|关于|了)*$"
    r"|(?<![a-z])(?:no|not|never|nobody|nothing|without|cannot|(?:is|are|was|were|do|does|did|has|have|had|wo|ca|could|would|should)n['’]?t)\s+"
    r"(?:(?:a|an|any|the|one|is|was|were|ever|even|been|be|being|really|actually|at|all|once|yet|catch|get|got|come|cause|caused|have|had|see|seen|look|feel|smell|like"
    r"|signs?|risk|reports?|allegations?|claims?|rumou?rs|of)\s+){0,4}$"
)
_REPORTED: Final = re.compile(
    r"(?:否认|辟谣)(?:存在|参与|涉嫌|涉及|关于|有|曾|了)*$"
    r"|(?<![a-z])den(?:y|ies|ied|ying)\s+(?:(?:a|an|any|the|having|being|reports?|allegations?|claims?|rumou?rs|of|been)\s+){0,4}$"
)
"""Denied by somebody: news of companies. In a shop it is the seller who denies, and the customer who says it."""
_AS_WELL: Final = re.compile(r"[a-z]*\s*(?:、|和|或者?|以及|及|,?\s*n?or\s+(?:an?\s+|any\s+)?)\s*")
"""What joins a phrase to one before it, whose denial goes for both."""
_BEFORE: Final = 48


@dataclass(frozen=True, slots=True)
class _Parts:
    """A post in sentences, with the names in each."""

    text: str
    sentences: list[str]
    named: list[list[tuple[str, str]]]


@dataclass(slots=True)
class Reader:
    """Reads posts; keeps the last ones for copies and the groups of discovered topics, all of bounded size.

    Attributes:
        names: What can be named, see `listen.names.known_names`.
        mode: What is looked for.
        topics: Given topics.
        brand: Brand of an item by its id, empty where it is unknown.
        judges: What was learnt, by task.
        vectors: What posts are about; None leaves topics to words alone and discovers none.
        groups: Discovered topics.
        tagger: Finds names that are in no list, in finance mode.
        muted: Posts of which a human said that they are not about us.
        copies: The last posts.
    """

    names: Phrases
    mode: Mode = "shop"
    topics: Sequence[Label] = SHOP
    brand: Callable[[str], str] = lambda _: ""
    judges: Mapping[str, Judge] = field(default_factory=dict)
    vectors: WordVectors | None = None
    groups: Groups | None = None
    tagger: TextTagger | None = None
    muted: set[str] = field(default_factory=set)
    copies: NearDuplicates = field(default_factory=NearDuplicates)
    _about: Phrases = field(init=False)
    _risks: Phrases = field(init=False)
    _events: Phrases = field(init=False)
    _moods: Phrases = field(init=False)
    _centres: np.ndarray | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Put the words of all labels into dictionaries."""
        told = (self.topics, (*RISKS, HARMLESS), EVENTS, MOODS)
        self._about, self._risks, self._events, self._moods = map(phrases_of, told)
        if self.vectors is not None:
            self._centres = np.stack([self.vectors.centre(label.words) for label in self.topics])

    def read(self, posts: Sequence[Passage]) -> list[Reading]:
        """Read posts, oldest first; each knows those before it.

        Args:
            posts: n posts with times; texts without markup (`listen.intake.cleaned`). The first 4,000 characters count.
        """
        texts = [text_of(post) for post in posts]
        repeated = self.copies.find([post.id for post in posts], texts)
        parts = [self._parted(text) for text in texts]
        felt = self._sentence_feelings(parts)
        risks = self._risk(texts)
        whole = self._whole(posts, texts, parts, felt, risks)
        topics, found = self._topics(texts, [not earlier for earlier in repeated])
        events = self._event(texts)
        muted = self._not_us(posts, texts, repeated)
        return [
            Reading(
                post=post.id,
                time=post.time,
                source=post.source,
                author=post.author or post.customer,
                item=post.item,
                brand=self.brand(post.item) if post.item else "",
                language=post.language or guess_language(texts[row]),
                sentiment=whole[row],
                aspects=_aspects(parts[row], felt) if self.mode == "shop" else {},
                topics=topics[row],
                found=found[row],
                entities=self._concerns(parts[row], felt),
                risk=risks[row],
                event=events[row],
                duplicate_of=repeated[row],
                muted=muted[row],
            )
            for row, post in enumerate(posts)
            if post.time is not None
        ]

    def _parted(self, text: str) -> _Parts:
        parts = sentences(text)[:_SENTENCES]
        named = []
        for sentence in parts:
            keys = [(key, sentence[one.start : one.end]) for one in self.names.find(sentence) for key in one.keys]
            named.append(list(dict(keys).items()))
        if self.tagger is not None and self.mode == "finance" and parts:
            for place, mentions in enumerate(self.tagger.tag(parts)):
                known = {form for _, form in named[place]}
                forms = {parts[place][one.start : one.end] for one in mentions if one.kind.lower() in _COMPANY} - known
                named[place].extend((f"company:{form}", form) for form in sorted(forms))
        return _Parts(text, parts, named)

    def _feel(self, sentence: str) -> float:
        if self.mode == "finance":
            moods = _said(self._moods, sentence, _REPORTED)
            if mood := float(np.sign(moods.get("good", 0) - moods.get("bad", 0))):
                return mood
        return plain_feeling(sentence)

    def _sentence_feelings(self, parts: Sequence[_Parts]) -> dict[str, float]:
        """How each sentence feels, all of them at once."""
        once = list(dict.fromkeys(sentence for part in parts for sentence in part.sentences))
        if (judge := self.judges.get("sentiment")) is not None:
            return dict(zip(once, judge.feelings(once).tolist(), strict=True))
        return {sentence: self._feel(sentence) for sentence in once}

    def _whole(
        self,
        posts: Sequence[Passage],
        texts: Sequence[str],
        parts: Sequence[_Parts],
        felt: Mapping[str, float],
        risks: Sequence[str],
    ) -> list[float]:
        """How each post feels: what was learnt, or the mean of the sentences that feel anything; stars count like one."""
        judge = self.judges.get("sentiment")
        learnt = judge.feelings(texts).tolist() if judge is not None else None
        found = []
        for row, post in enumerate(posts):
            if learnt is not None:
                votes = [learnt[row]] if texts[row].strip() else []
            else:
                votes = [value for sentence in parts[row].sentences if (value := felt[sentence])]
                votes += [-1.0] if risks[row] else []
            if post.rating is not None:
                votes.append(float(np.clip((post.rating - 3) / 2, -1, 1)))
            found.append(sum(votes) / len(votes) if votes else 0.0)
        return found

    def _topics(self, texts: Sequence[str], fresh: Sequence[bool]) -> tuple[list[tuple[str, ...]], list[str]]:
        """Given and discovered topics of each text."""
        given = [_most(self._about.keys(text)) for text in texts]
        if (judge := self.judges.get("topic")) is not None:
            learnt = judge.names(texts)
            replaced = {label.key for label in self.topics} & set(judge.classes)
            given = [own if replaced else (*own, *words)[:_TOPICS] for own, words in zip(learnt, given, strict=True)]
        if self.vectors is None or self._centres is None:
            return given, [""] * len(texts)
        told = [telling(text) for text in texts]
        vectors = self.vectors.of(told)
        if judge is None:
            like = vectors @ self._centres.T
            for row, best in enumerate(like.argmax(axis=1).tolist()):
                if not given[row] and like[row, best] >= _LIKE_TOPIC:
                    given[row] = (self.topics[best].key,)
        found = [""] * len(texts) if self.groups is None else self.groups.join(vectors, told, fresh)
        return given, found

    def _risk(self, texts: Sequence[str]) -> list[str]:
        if (judge := self.judges.get("risk")) is not None:
            return [names[0] if names else "" for names in judge.names(texts)]
        order = [label.key for label in RISKS]
        also = _REPORTED if self.mode == "finance" else None
        return [min(_said(self._risks, text, also), key=order.index, default="") for text in texts]

    def _event(self, texts: Sequence[str]) -> list[str]:
        if self.mode != "finance":
            return [""] * len(texts)
        if (judge := self.judges.get("event")) is not None:
            return [names[0] if names else "" for names in judge.names(texts)]
        order = [label.key for label in EVENTS]
        return [min(_said(self._events, text, _REPORTED), key=order.index, default="") for text in texts]

    def _not_us(self, posts: Sequence[Passage], texts: Sequence[str], repeated: Sequence[str]) -> list[bool]:
        said = [post.id in self.muted or earlier in self.muted for post, earlier in zip(posts, repeated, strict=True)]
        if (judge := self.judges.get("about")) is None:
            return said
        learnt = judge.chance(NOT_US, texts) >= _SURELY_NOT_US
        return [one or bool(other) for one, other in zip(said, learnt, strict=True)]

    def _concerns(self, part: _Parts, felt: Mapping[str, float]) -> tuple[Concern, ...]:
        """What the post names, and how the sentences that name it feel; a clause with it where several are named."""
        feelings: dict[str, list[float]] = {}
        forms: dict[str, str] = {}
        for sentence, named in zip(part.sentences, part.named, strict=True):
            for key, form in named:
                value = felt[sentence]
                if len(named) > 1:
                    clauses = [clause for clause in _CLAUSE.split(sentence) if form in clause]
                    value = (self._feel(clauses[0]) if clauses and clauses[0] != sentence else 0.0) or value
                feelings.setdefault(key, []).append(value)
                forms.setdefault(key, form)
        judge = self.judges.get("concern")
        if judge is not None and forms:
            bad = judge.chance("negative", [marked(part.text, form) for form in forms.values()]).tolist()
            feelings = {key: [1 - 2 * chance] for key, chance in zip(forms, bad, strict=True)}
        found = []
        for key, values in feelings.items():
            kind, _, name = key.partition(":")
            said = [value for value in values if value]
            found.append(Concern(kind, name, sum(said) / len(said) if said else 0.0))
        return tuple(found)


def text_of(post: Passage) -> str:
    """Title and text of a post, once where the text begins with the title; at most 4,000 characters."""
    title = post.title.strip()
    whole = post.text if not title or post.text.startswith(title) else f"{title}\n{post.text}"
    return whole[:_MOST_CHARACTERS]


def _aspects(part: _Parts, felt: Mapping[str, float]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for sentence in part.sentences:
        if value := felt[sentence]:
            for aspect in aspects_of(sentence):
                found.setdefault(aspect, []).append(value)
    return {aspect: sum(values) / len(values) for aspect, values in found.items()}


def _most(counts: Mapping[str, int]) -> tuple[str, ...]:
    """The keys named most often, at most three; those named as often as they come."""
    return tuple(sorted(counts, key=lambda key: -counts[key])[:_TOPICS])


def _said(phrases: Phrases, text: str, also: re.Pattern[str] | None = None) -> Counter[str]:
    """How often each key's phrases are said and not denied, `also` in another way; the empty key says nothing."""
    low, said = fold(text), Counter[str]()
    denied, last = False, 0
    for found in phrases.find(text):
        joined = denied and _AS_WELL.fullmatch(low, last, found.start)
        before = low[max(0, found.start - _BEFORE) : found.start]
        denied = bool(joined or _DENIED.search(before) or (also is not None and also.search(before)))
        last = found.end
        if not denied:
            said.update(key for key in found.keys if key)
    return said
