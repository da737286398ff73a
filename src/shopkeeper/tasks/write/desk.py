"""Copy on its way to the public: asked about, approved, shown, compared, and withdrawn when it is no longer true.

Everything is a decision of task ``copy`` in the store, so nothing is lost with the process, and as a text's own words are
part of its subject, nothing can be published twice.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

import orjson

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import Decision, Item, Scalar
from shopkeeper.store.labels import item_key
from shopkeeper.store.protocols import Labels
from shopkeeper.tasks.write.briefs import KINDS, Copy, Objection, read_subject
from shopkeeper.tasks.write.check import misshapen
from shopkeeper.tasks.write.facts import texts_of
from shopkeeper.tasks.write.length import characters

TASK: Final = "copy"
PUBLISH, REFUSE, EDITED, UNPUBLISHED, WITHDRAWN = "publish", "refuse", "edited", "unpublished", "withdrawn"
SHOWN: Final = "copies"
"""Property of an event that says which copies were shown with it; see `stamp`."""
_FRESH: Final = 5.0
"""Seconds after which what other processes decided is looked up."""
_ALL: Final = 1_000_000
_OF_REVIEWS: Final = re.compile(
    r"\b(?:buyers?|customers?|reviews?|prais\w+|complain\w*|(?:like|love|dislike)[sd]?|criticis\w+|minds?)\b"
    r"|买家|评价|称赞|喜欢|好评|抱怨|批评|吐槽|不满",
    re.IGNORECASE,
)

Check = Callable[[Copy, Item], tuple[Objection, ...]]
Find = Callable[[str], Item | None]
Reviews = Callable[[str], int]
State = tuple[Mapping[str, str], int]
"""What a copy was found to hold against: the item's facts, and its reviews where the copy speaks of them (0 otherwise)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A copy that the public sees.

    Attributes:
        propensity: Chance with which this visitor was given this one of the variants in force.
    """

    subject: str
    item: str
    kind: str
    language: str
    variant: str
    text: str
    segment: str = ""
    propensity: float = 1.0


class CopyDesk:
    """The queue and the published copies. Safe to use from many threads and processes.

    Args:
        labels: Where decisions are kept.
        find: Item id -> the item as it is now; None where it is gone.
        check: What of a text does not hold now; see `write.check.untrue`.
        reviews: Item id -> a number that changes with its reviews; asked every few seconds at most for an item that is shown.
    """

    def __init__(self, labels: Labels, find: Find, check: Check, reviews: Reviews) -> None:
        self._labels, self._find, self._check, self._reviews = labels, find, check, reviews
        self._lock = threading.RLock()
        self._shown: dict[tuple[str, str, str], list[Decision]] = {}
        self._held: dict[str, State] = {}
        self._reviewed: dict[str, tuple[float, int]] = {}
        self._read = -_FRESH

    def propose(self, copies: Iterable[Copy]) -> int:
        """Put copies into the queue; those that were decided already stay decided. Returns how many are new."""
        waiting = [
            Decision(task=TASK, subject=copy.subject, text=copy.text, proposal=PUBLISH, score=copy.score)
            for copy in copies
            if not copy.objections
        ]
        return self._labels.propose(waiting).added

    def queue(self, limit: int = 50) -> list[Decision]:
        """Copies that wait for a human, the best first."""
        return self._labels.pending(TASK, limit)

    def withdrawn(self) -> list[Decision]:
        """Published copies that were taken back because they no longer hold, the latest first."""
        self.refresh()
        found = [one for one in self._labels.decided(TASK) if one.label == WITHDRAWN]
        return sorted(found, key=lambda one: (one.time is None, one.time), reverse=True)

    def approve(self, subject: str, rater: str = "") -> Decision:
        """Publish a copy as it is; also one that was refused or withdrawn, if it holds now.

        Raises:
            NotFoundError: There is no such copy, or no such item any more.
            InputError: It says what does not hold now.
        """
        with self._lock:
            decision = self._one(subject)
            self._must_hold(decision)
            return self._decided(subject, PUBLISH, rater)

    def edit(self, subject: str, text: str, rater: str = "") -> Decision:
        """Publish other words in place of a copy; both are kept, so that the ranking can learn from the difference.

        Raises:
            NotFoundError: There is no such copy.
            InputError: There are no words, they do not fit, or they say what does not hold.
        """
        words = "\n".join(line.strip() for line in text.strip().splitlines() if line.strip())
        with self._lock:
            old = self._one(subject)
            if not words:
                raise InputError("There are no words.", where=subject, cure="Write some, or refuse the copy.")
            copy = replace(copy_of(old), text=words)
            if copy.text == old.text:
                return self.approve(subject, rater)
            made = Decision(task=TASK, subject=copy.subject, text=words, proposal=PUBLISH, score=old.score)
            self._must_hold(made)
            _must_fit(copy, old.text)
            self._labels.propose([made])
            published = self._decided(copy.subject, PUBLISH, rater)
            self._decided(subject, f"{EDITED} {copy.variant}", rater)  # last: cut before, the question still waits
            return published

    def refuse(self, subject: str, rater: str = "") -> Decision:
        """Do not publish a copy; it is not asked about again."""
        return self._decided(subject, REFUSE, rater)

    def unapprove(self, subject: str, rater: str = "") -> Decision:
        """Take a published copy back; it can be approved again.

        Raises:
            InputError: It is not published.
        """
        with self._lock:
            if self._one(subject).label != PUBLISH:
                raise InputError("This copy is not published.", where=subject, cure="See: shopkeeper write queue")
            return self._decided(subject, UNPUBLISHED, rater)

    def published(self, item: str, kind: str, language: str, segment: str = "") -> tuple[Published, ...]:
        """All variants in force that hold for the item as it is at this moment, by variant."""
        found = self._find(item)
        if found is None or found.hidden or (KINDS[kind].pushes and not found.showable):
            return ()
        self._reread()
        name = f"{kind}@{segment}" if segment else kind
        with self._lock:
            shown = list(self._shown.get((item_key(item), name, language), ()))
        held = [one for one in shown if self._holds(one, found)]
        chance = 1.0 / max(1, len(held))
        return tuple(
            Published(subject=one.subject, item=item, kind=kind, segment=segment, language=language,
                      variant=read_subject(one.subject)[4], text=one.text, propensity=chance)
            for one in sorted(held, key=lambda one: one.subject)
        )  # fmt: skip

    def shown(self, item: str, kind: str, language: str, who: str = "", segment: str = "") -> Published | None:
        """The variant for a visitor: each as often as the others, the same one as long as it is in force; None without any.

        Visitors are split by highest random weight (Thaler and Ravishankar 1998): when a variant comes or goes, only its own
        visitors move. A visitor without a name is given one of them by lot.

        Args:
            item: Id.
            kind: One of `KINDS`.
            language: ``en`` or ``zh``.
            who: Customer, or session of somebody unknown.
            segment: Of push messages.
        """
        found = self.published(item, kind, language, segment)
        if not found:
            return None
        if not who:
            return secrets.choice(found)
        return max(found, key=lambda one: hashlib.blake2b(f"{one.subject}|{who}".encode(), digest_size=8).digest())

    def refresh(self) -> tuple[Decision, ...]:
        """Read what others decided, and take back what no longer holds; returns what was taken back.

        Copies are held against the item's facts where those changed, and against its reviews where they speak of them and
        those changed. Copies are shown meanwhile.
        """
        with self._lock:
            self._reread(now=True)
            self._reviewed.clear()
            shown = [(key, decision) for (key, _, _), decisions in self._shown.items() for decision in decisions]
        back = []
        for key, decision in shown:
            item = self._find(key)
            if reason := "the item is gone" if item is None else self._broken(decision, item):
                back.append(self._withdraw(decision, reason))
        return tuple(back)

    def decided(self) -> list[Decision]:
        """All decisions about copies, by subject."""
        return list(self._labels.decided(TASK))

    def _holds(self, decision: Decision, item: Item) -> bool:
        if reason := self._broken(decision, item):
            self._withdraw(decision, reason)
        return not reason

    def _broken(self, decision: Decision, item: Item) -> str:
        """Why a copy does not hold any more; asked only where what it speaks of changed."""
        state = (texts_of(item), self._reviews_of(item.id) if _of_reviews(decision) else 0)
        if self._held.get(decision.subject) == state:
            return ""
        reason = self._against(decision, item)
        if not reason:
            self._held[decision.subject] = state
        return reason

    def _reviews_of(self, item: str) -> int:
        at, found = self._reviewed.get(item, (-_FRESH, 0))
        if time.monotonic() - at >= _FRESH:
            at, found = time.monotonic(), self._reviews(item)
            self._reviewed[item] = at, found
        return found

    def _against(self, decision: Decision, item: Item) -> str:
        return "; ".join(one.why["en"] for one in self._check(replace(copy_of(decision), item=item.id), item))

    def _withdraw(self, decision: Decision, reason: str) -> Decision:
        return self._decided(decision.subject, WITHDRAWN, f"shop: {reason}"[:200])

    def _must_hold(self, decision: Decision) -> None:
        copy = copy_of(decision)
        item = self._find(copy.item)
        if item is None:
            raise NotFoundError("The item of this copy is gone.", where=decision.subject, cure="Refuse it.")
        if found := self._check(copy, item):
            raise InputError(
                " ".join(one.why["en"] for one in found),
                where=decision.subject,
                cure="Change the words, or the item's facts first.",
            )

    def _one(self, subject: str) -> Decision:
        """One decision, waiting or made."""
        for found in chain(self._labels.pending(TASK, _ALL), self._labels.decided(TASK)):
            if found.subject == subject:
                return found
        raise NotFoundError("There is no such copy.", where=subject, cure="See: shopkeeper write queue")

    def _decided(self, subject: str, label: str, rater: str) -> Decision:
        decision = self._labels.decide(TASK, subject, label, rater)
        with self._lock:
            self._held.pop(subject, None)
            self._reread(now=True)
        return decision

    def _reread(self, *, now: bool = False) -> None:
        with self._lock:
            if not now and time.monotonic() - self._read < _FRESH:
                return
            shown: dict[tuple[str, str, str], list[Decision]] = {}
            for decision in self._labels.decided(TASK):
                if decision.label == PUBLISH:
                    item, kind, segment, language, _ = read_subject(decision.subject)
                    shown.setdefault((item, f"{kind}@{segment}" if segment else kind, language), []).append(decision)
            self._shown, self._read = shown, time.monotonic()


def _of_reviews(decision: Decision) -> bool:
    return read_subject(decision.subject)[1] == "reviews" or bool(_OF_REVIEWS.search(decision.text))


def _must_fit(copy: Copy, old: str) -> None:
    """Refuse an edit with markup, unseen characters, wrong lines, or longer than both its kind and the words before."""
    kind, before = KINDS[copy.kind], [characters(line) for line in old.split("\n")]
    own = kind.limits[copy.language]
    limits = [max(most, *before[place : place + 1], 0) for place, most in enumerate(own[:-1])]
    limits.append(max(own[-1], *before[len(own) - 1 :], 0))
    if found := misshapen(copy, limits):
        lines = "1 line" if kind.lines == (1, 1) else " to ".join(map(str, sorted(set(kind.lines)))) + " lines"
        raise InputError(
            " ".join(one.why["en"] for one in found),
            where=copy.subject,
            cure=f"Write {lines} of at most {', '.join(map(str, limits))} characters, without markup and pictograms.",
        )


def copy_of(decision: Decision) -> Copy:
    """The copy that a decision is about; `item` is the key of its subject."""
    item, kind, segment, language, _ = read_subject(decision.subject)
    return Copy(
        item=item, kind=kind, segment=segment, language=language, text=decision.text, tone="warm", score=decision.score
    )


def stamp(shown: Sequence[Published]) -> dict[str, Scalar]:
    """Properties for the event of showing copies: which variants, and with what propensity."""
    told = [[one.item, one.kind, one.language, one.variant, round(one.propensity, 6)] for one in shown]
    return {SHOWN: orjson.dumps(told).decode()} if told else {}


def stamped(properties: Mapping[str, Scalar]) -> list[tuple[str, str, str, str, float]]:
    """(item, kind, language, variant, propensity) of the copies that an event showed; none where the property is not readable."""
    told = properties.get(SHOWN)
    if not isinstance(told, str):
        return []
    try:
        rows = orjson.loads(told)
        return [(str(a), str(b), str(c), str(d), float(e)) for a, b, c, d, e in rows]
    except (orjson.JSONDecodeError, ValueError, TypeError):
        return []
