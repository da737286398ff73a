"""The service assistant in the practice shop: 300 dialogues with known right answers, beside keywords and TF-IDF in the same run.

A dialogue is resolved when every reply is of a right kind, holds the facts that it must and nothing that it must not, shows
what fits, and the orders stand at its end as they must. `grounded` is the share of the figures, prices, dates, names and
promises said that the evidence holds, by the shop's own check (`trust.grounding`), which censors the assistant as well: near 1 for
ours by design, it says what the check lets through, not that nothing slips past it. Evidence is gathered anew, from what was said
so far. A wrong action is any change of any order of all dialogues that was not asked for just then, or another one than was
asked for. `handover_precision` is the share of the dialogues handed over in which that is one of the right replies,
`handover_recall` the share handed over of those in which it is the only one.
"""

from __future__ import annotations

import re
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from bench.contract import Metric, Row
from shopkeeper.practice import Practice, build
from shopkeeper.practice.service import Case, Step, cases
from shopkeeper.practice.shop import write
from shopkeeper.records import Hit, Item, PassageKind, Request
from shopkeeper.retrieval.analysis import terms
from shopkeeper.settings import load
from shopkeeper.store.database import open_store
from shopkeeper.store.orders import Order, OrderStatus
from shopkeeper.tasks.assist.sentences import WORDING, day
from shopkeeper.tasks.assist.turns import Citation, Reply, Turn
from shopkeeper.tasks.shop import Shop
from shopkeeper.trust.facts import facts
from shopkeeper.trust.folding import fold
from shopkeeper.trust.grounding import unsupported

Answer = Callable[[Turn, Case], Reply]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one dialogue.

    Attributes:
        wrong: Changes of orders that were not asked for.
        said: Facts said.
        ungrounded: Of these, how many no evidence holds.
        seconds: Of each reply.
        failure: The first thing that was not right, for readers; empty where all was.
    """

    resolved: bool
    wrong: int
    handed: bool
    said: int
    ungrounded: int
    seconds: tuple[float, ...]
    failure: str


def run(data: Path, *, quick: bool = False, seed: int = 7, task: str = "test") -> list[Row]:  # noqa: ARG001
    """Ours without a generator, and the baseline, on the same dialogues.

    Args:
        data: Not used: the shop is simulated.
        quick: A smaller shop and a third of the dialogues.
        seed: Of the shop.
        task: ``test``, or ``dev`` for the phrasings on which failures were looked for.
    """
    practice = build(seed, products=1200, customers=300, days=60) if quick else build(seed)
    chosen = cases(practice, task)[:: 3 if quick else 1]
    with tempfile.TemporaryDirectory() as scratch:
        settings = load(Path(scratch), environ={}, overrides={"assist.rate_per_minute": 100_000})
        shop = stocked(practice, settings.home)
        try:
            for query in ("shoes", "鞋", "xiezi"):  # as the server does before it listens
                shop.search(Request(query=query, limit=1))
            shop.assist(Turn(text="hello"))
            watched = [order.id for case in chosen for order in case.orders]
            ours = [played(case, shop, lambda turn, _: shop.assist(turn), watched) for case in chosen]
            plain = Plain(practice, shop)
            theirs = [played(case, shop, plain.answer, watched) for case in chosen]
        finally:
            shop.close()
    return [_row("keywords + TF-IDF", chosen, theirs), _row("shopkeeper", chosen, ours)]


def stocked(practice: Practice, home: Path) -> Shop:
    """The practice shop, opened in a folder; its pictures are not drawn."""
    store = open_store(f"sqlite:///{home / 'shop.db'}")
    write(practice, store, None)
    return Shop(load(home, environ={}, overrides={"assist.rate_per_minute": 100_000}), store)


def played(case: Case, shop: Shop, answer: Answer, watched: Sequence[str] = ()) -> Outcome:
    """Hold one dialogue and judge it; `watched` are the orders that it must leave alone beside its own."""
    watched = [*watched, *(order.id for order in case.orders)]
    shop.store.orders.put(case.orders)
    failure, wrong, said, ungrounded, handed = "", 0, 0, 0, False
    seconds: list[float] = []
    conversation = uuid.uuid4().hex
    for number, step in enumerate(case.steps):
        before = _standing(shop, watched)
        turn = Turn(text=step.text, customer=case.customer, item=step.item, time=case.time, conversation=conversation)
        began = time.perf_counter()
        reply = answer(turn, case)
        seconds.append(time.perf_counter() - began)
        handed = handed or reply.kind == "handover"
        after = _standing(shop, watched)
        changed = {name for name in after if after[name] != before.get(name)}
        wanted = {case.orders[0].id} if step.does and case.orders else set()
        wrong += sum(name not in wanted or step.does not in after[name] for name in changed)
        evidence = _evidence(reply, shop, case, number + 1)
        claims = unsupported(reply.text, evidence)
        said += sum(1 for _ in facts(fold(reply.text).text))
        ungrounded += len(claims)
        problem = judged(step, reply, shop, changed, wanted, after)
        if problem and not failure:
            failure = (
                f"{case.id} step {number + 1} {step.text!r} -> {reply.kind} [{reply.model}] {reply.text!r}: {problem}"
            )
    return Outcome(not failure and not wrong, wrong, handed, said, ungrounded, tuple(seconds), failure)


def judged(
    step: Step, reply: Reply, shop: Shop, changed: set[str], wanted: set[str], after: dict[str, tuple[str, str]]
) -> str:
    """What is not right about a reply; empty where nothing is."""
    text = reply.text.casefold()
    if reply.kind not in step.kinds:
        return f"wanted {'/'.join(step.kinds)}"
    for group in step.facts:
        if not any(_held(fact, text) for fact in group):
            return f"{'/'.join(group)} is not said"
    for word in step.never:
        if word.casefold() in text:
            return f"{word} is said"
    shown = [hit.item for hit in reply.hits]
    items = {name: item for name in shown if (item := _item(shop, name)) is not None}
    if any(not item.showable for item in items.values()):
        return "shows what cannot be bought"
    if step.most is not None and any((item.price or 0.0) > step.most for item in items.values()):
        return f"shows something above {step.most}"
    if step.fits and sum(name in step.fits for name in shown[:3]) < max(1, len(shown[:3]) - 1):
        return f"shows {[item.title for item in items.values()][:3]}"
    if step.does and (not wanted <= changed or step.does not in after[next(iter(wanted))]):
        return f"the order is not {step.does}"
    return "" if step.does or not changed else "an order was changed"


def _held(fact: str, text: str) -> bool:
    return " ".join(fact.casefold().split()) in " ".join(text.split())


def _standing(shop: Shop, orders: Sequence[str]) -> dict[str, tuple[str, str]]:
    return {name: (order.status.value, order.address) for name, order in shop.store.orders.get(orders).items()}


def _evidence(reply: Reply, shop: Shop, case: Case, steps: int) -> list[str]:
    """What the reply may rest on, gathered anew: its citations, the items shown, the customer's own orders and words so far."""
    found = [f"{citation.title}. {citation.text}" for citation in reply.citations]
    shown = [hit.item for hit in reply.hits] + [c.id for c in reply.citations if c.source == "product"]
    found += [_words(item) for name in shown if (item := _item(shop, name)) is not None]
    for order in shop.store.orders.of_customer(case.customer) if case.customer else ():
        found += _order_words(order, shop)
    return [*found, reply.turn.text, *(step.text for step in case.steps[:steps]), *WORDING]


def _words(item: Item) -> str:
    return (
        f"{item.text}. {item.price:,.2f} {item.currency} ${item.price:,.2f} ¥{item.price:,.2f}"
        if item.price
        else item.text
    )


def _order_words(order: Order, shop: Shop) -> list[str]:
    days = [moment for moment in (order.placed, order.due, order.delivered) if moment is not None]
    days += [order.delivered + timedelta(days=30)] if order.delivered else []
    titles = [item.title for line in order.lines if (item := _item(shop, line.item)) is not None]
    told = [order.id, order.carrier, order.tracking, order.address, *titles]
    told += [f"{line.quantity} × {item.title}" for line in order.lines if (item := _item(shop, line.item)) is not None]
    return [*told, *(day(moment, language) for moment in days for language in ("en", "zh"))]


def _item(shop: Shop, name: str) -> Item | None:
    row = shop.shelf.row(name)
    return None if row is None else shop.shelf.items[row]


def _row(system: str, chosen: Sequence[Case], outcomes: Sequence[Outcome]) -> Row:
    resolved = np.array([outcome.resolved for outcome in outcomes], dtype=float)
    seconds = np.array([each for outcome in outcomes for each in outcome.seconds]) * 1e3
    said, ungrounded = sum(o.said for o in outcomes), sum(o.ungrounded for o in outcomes)
    right = np.array([case.hands_over for case in chosen])
    handed = np.array([outcome.handed for outcome in outcomes])
    may = np.array([any("handover" in step.kinds for step in case.steps) for case in chosen])
    zh = np.array([case.language == "zh" for case in chosen])
    metrics = {
        "resolved": Metric.mean(resolved),
        "resolved_en": Metric.mean(resolved[~zh]),
        "resolved_zh": Metric.mean(resolved[zh]),
        "grounded": Metric(1.0 - ungrounded / max(said, 1)),
        "wrong_actions": Metric(float(sum(o.wrong for o in outcomes))),
        "handover_precision": Metric(float(may[handed].mean()) if handed.any() else 1.0),
        "handover_recall": Metric(float(handed[right].mean()) if right.any() else 1.0),
        "p50_ms": Metric(float(np.percentile(seconds, 50))),
        "p95_ms": Metric(float(np.percentile(seconds, 95))),
    }
    failed = Counter(case.matter for case, outcome in zip(chosen, outcomes, strict=True) if not outcome.resolved)
    notes = f"{len(chosen)} dialogues, {len(seconds)} replies, {said} facts said; not resolved: " + (
        ", ".join(f"{matter} {count}" for matter, count in failed.most_common()) or "none"
    )
    return Row(system, metrics, float(seconds.sum()) / 1e3, notes)


_KEYWORDS: Final = {
    "human": r"human|agent|person|manager|人工|真人|经理",
    "cancel": r"cancel|取消",
    "return": r"return|send back|退货|退回",
    "address": r"address|地址",
    "track": r"track|where is|parcel|package|ship|deliver|快递|物流|包裹|发货|到哪",
    "recommend": r"recommend|looking for|show me|need|buy|推荐|想买|想找",
    "hello": r"\b(?:hello|hi|hey|thanks|thank you|bye)\b|你好|谢谢|再见",
}


class Plain:
    """The baseline: intents by keywords, answers by TF-IDF over FAQ and policies, no memory but the last proposal.

    Args:
        practice: For its FAQ and policies.
        shop: For search and orders.
    """

    def __init__(self, practice: Practice, shop: Shop) -> None:
        self._shop = shop
        self._passages = [p for p in practice.passages if p.kind in (PassageKind.FAQ, PassageKind.POLICY)]
        self._space = TfidfVectorizer(analyzer=terms)
        self._rows = self._space.fit_transform([f"{passage.title} {passage.text}" for passage in self._passages])
        self._open: dict[str, tuple[str, str]] = {}

    def answer(self, turn: Turn, _case: Case) -> Reply:
        """One reply."""
        zh = bool(re.search(r"[\u4e00-\u9fff]", turn.text))

        def said(kind: str, text: str, hits: tuple[Hit, ...] = (), cited: tuple[Citation, ...] = ()) -> Reply:
            return Reply(turn=turn, text=text, kind=kind, language="zh" if zh else "en", hits=hits, citations=cited)

        low = turn.text.lower()
        orders = self._shop.store.orders.of_customer(turn.customer) if turn.customer else []
        named = next((order for order in orders if order.id in turn.text), orders[0] if orders else None)
        if turn.conversation in self._open and re.match(r"(?:yes|yep|ok|sure|是|好|对|嗯|可以|确认)", low):
            order, status = self._open.pop(turn.conversation)
            self._shop.store.orders.move(order, OrderStatus(status), "baseline")
            return said("done", order)
        self._open.pop(turn.conversation, None)
        intent = next((name for name, pattern in _KEYWORDS.items() if re.search(pattern, low)), "")
        if intent == "human":
            return said("handover", "")
        if intent in ("cancel", "return") and named is not None:
            right = {"cancel": (OrderStatus.PLACED, "cancelled"), "return": (OrderStatus.DELIVERED, "returning")}[
                intent
            ]
            if named.status is right[0]:
                self._open[turn.conversation] = (named.id, right[1])
                return said("confirm", named.id)
        if intent == "track" and named is not None:
            return said("status", " ".join(_order_words(named, self._shop)))
        if intent == "hello" and len(low) < 30:
            return said("smalltalk", "")
        scores = (self._rows @ self._space.transform([turn.text]).T).toarray()[:, 0]
        best = int(np.argmax(scores))
        if scores[best] > 0.15:
            found = self._passages[best]
            cited = Citation(source=found.kind.value, id=found.id, title=found.title, text=found.text)
            return said("answer", found.text, cited=(cited,))
        if intent == "recommend":
            hits = self._shop.search(Request(query=turn.text, limit=6, language="zh" if zh else "en")).hits
            return said("recommend", "", hits=hits)
        if turn.item and (item := _item(self._shop, turn.item)) is not None:
            cited = Citation(source="product", id=item.id, title=item.title, text=item.text)
            return said("answer", _words(item), cited=(cited,))
        return said("ask", "")
