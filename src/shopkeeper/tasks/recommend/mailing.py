"""Recommendations for all customers in one go, ready for whatever sends the e-mails.

The work is done in blocks of customers. A block is written whole or not at all, then what it shows is logged as impressions
under the ids that its letters carry; so a run that was killed goes on behind its last block, and nobody is left out or
written to twice. All blocks together become the file at the end.
"""

from __future__ import annotations

import hashlib
import heapq
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from shopkeeper.errors import InputError
from shopkeeper.progress import span
from shopkeeper.records import Answer, Customer, Event, EventKind, Impression, Item, Request, now
from shopkeeper.retrieval.histories import STRENGTH
from shopkeeper.store.protocols import Store
from shopkeeper.tasks.recommend.mail_files import format_of, must_be_new, settle, write_letters

SURFACE = "email"
YES = frozenset({"1", "true", "yes", "y", "on", "是"})
"""Values of an attribute by which a customer agrees."""

Letter = dict[str, Any]
"""One customer's recommendations as JSON values: customer, language, request, time, model, items."""
Answers = Callable[[Sequence[Request]], Sequence[Answer]]
"""Requests -> their answers, in that order; see `RecommendTask.answers`."""

_BLOCK = 500
_PLAN = "plan.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """What goes to whom.

    Attributes:
        items: Recommendations a customer.
        where: Attribute to values: only customers who have one of the values of each.
        consent: Attribute by which customers agree to be written to; see `YES`. Empty asks nobody.
        limit: Most customers; 0 for all.
        explain: Give reasons.
        impressions: Log what is shown.
    """

    items: int = 8
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    consent: str = ""
    limit: int = 0
    explain: bool = True
    impressions: bool = True

    @property
    def everybody(self) -> bool:
        """Are all customers written to, those included of whom nothing is kept but what they did?"""
        return not (self.where or self.consent)

    def includes(self, customer: Customer) -> bool:
        """Is the customer one of those to write to?"""
        own = customer.attributes
        if self.consent and own.get(self.consent, "").strip().casefold() not in YES:
            return False
        return all(own.get(name) in values for name, values in self.where.items())

    def to_json(self) -> dict[str, Any]:
        """Plain data, the same for the same mailing."""
        where = {name: list(values) for name, values in sorted(self.where.items())}
        own = {name: getattr(self, name) for name in ("items", "consent", "limit", "explain", "impressions")}
        return own | {"where": where}


@dataclass(frozen=True, slots=True)
class Posted:
    """What a mailing came to.

    Attributes:
        path: The file.
        customers: Letters in it.
        resumed: How many of them an earlier run had written.
        silent: Customers of this run for whom there was nothing to recommend.
    """

    path: Path
    customers: int
    resumed: int
    silent: int


def compose(
    store: Store,
    answers: Answers,
    record: Callable[[Sequence[Event]], object],
    mailing: Mailing,
    path: Path,
    *,
    resume: bool = False,
) -> Posted:
    """Write recommendations for many customers into one file, in the order of their ids.

    Args:
        store: Who there is.
        answers: Recommends.
        record: Writes impressions durably.
        mailing: What goes to whom.
        path: ``.jsonl`` (a line a customer), ``.csv`` or ``.parquet`` (a row an item). Beside it a folder holds what is
            done so far.
        resume: Go on where an earlier run was cut; start where there was none.

    Raises:
        InputError: The file is there already, an earlier run was cut and `resume` is False, or it was another mailing.
    """
    format_of(path)
    folder = path.with_name(f"{path.name}.mailing")
    plan = _planned(folder, mailing, path, resume)
    blocks = sorted(folder.glob("*.jsonl"))
    done = sum(1 for _ in _letters(blocks))
    resumed, silent = done, 0
    last = ""
    if blocks:
        before = list(_letters(blocks[-1:]))
        last = before[-1]["customer"]
        _log(before, mailing, record)  # the end may have come between the two
    waiting = (customer for customer in audience(store, mailing) if customer.id > last)
    with span("mail", mailing.limit or store.customers.count() or None, "customers") as progress:
        progress.advance(done)
        while block := list(islice(waiting, min(_BLOCK, mailing.limit - done) if mailing.limit else _BLOCK)):
            letters = _block(store, answers, block, mailing, plan)
            silent += len(block) - len(letters)
            if letters:
                blocks.append(folder / f"{len(blocks):06d}.jsonl")
                write_letters(letters, blocks[-1])
                _log(letters, mailing, record)
            done += len(letters)
            progress.advance(len(block))
    write_letters(_letters(blocks), path)
    shutil.rmtree(folder)
    return Posted(path, done, resumed, silent)


def audience(store: Store, mailing: Mailing) -> Iterator[Customer]:
    """Whom a mailing goes to, ordered by id: customers on record, and for a mailing to everybody whoever is in the log."""
    if not mailing.everybody:
        return filter(mailing.includes, store.customers.scan())
    names = {customer.id for customer in store.customers.scan()}
    frame = store.events.frame(kinds=list(STRENGTH))
    others = sorted(set(frame["customer"].unique().to_list()) - names - {""})
    return heapq.merge(store.customers.scan(), map(_unknown, others), key=lambda customer: customer.id)


def _unknown(name: str) -> Customer:
    return Customer(id=name)


def _planned(folder: Path, mailing: Mailing, path: Path, resume: bool) -> dict[str, str]:
    """The name and the moment of a mailing: of the one that was cut, or new ones."""
    file = folder / _PLAN
    if not file.exists():
        must_be_new(path)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        plan = {"name": uuid.uuid4().hex, "time": now().isoformat()}
        aside = folder / f"{_PLAN}.part"
        aside.write_bytes(orjson.dumps(plan | {"mailing": mailing.to_json()}))
        settle(aside, file)
        return plan
    if not resume:
        raise InputError(
            "An earlier run was cut.",
            where=str(folder),
            cure="Go on with --resume, or delete that folder to begin anew.",
        )
    known = orjson.loads(file.read_bytes())
    for name, value in mailing.to_json().items():
        if known["mailing"].get(name) != value:
            raise InputError(
                f"The run that was cut had {name} = {known['mailing'].get(name)!r}, not {value!r}.",
                where=str(folder),
                cure="Give the same options, or delete that folder to begin anew.",
            )
    return {"name": known["name"], "time": known["time"]}


def _letters(blocks: Sequence[Path]) -> Iterator[Letter]:
    for block in blocks:
        with block.open("rb") as lines:
            yield from map(orjson.loads, lines)


def _block(
    store: Store, answers: Answers, block: Sequence[Customer], mailing: Mailing, plan: Mapping[str, str]
) -> list[Letter]:
    time = datetime.fromisoformat(plan["time"])
    requests = [
        Request(
            customer=customer.id,
            language=customer.language,
            limit=mailing.items,
            surface=SURFACE,
            explain=mailing.explain,
            id=hashlib.blake2b(f"{plan['name']}|{customer.id}".encode(), digest_size=16).hexdigest(),
            time=time,
        )
        for customer in block
    ]
    answered = [answer for answer in answers(requests) if answer.hits]
    items = store.catalogue.get(list({hit.item for answer in answered for hit in answer.hits}))
    return [_letter(answer, items) for answer in answered]


def _letter(answer: Answer, items: Mapping[str, Item]) -> Letter:
    request = answer.request
    return {
        "customer": request.customer,
        "language": request.language,
        "request": request.id,
        "time": request.time.isoformat(),
        "model": answer.model,
        "items": [
            {
                "item": hit.item,
                "title": items[hit.item].title if hit.item in items else "",
                "score": hit.score,
                "propensity": hit.propensity,
                "reasons": [
                    {"kind": reason.kind, "evidence": list(reason.evidence), "text": dict(reason.text)}
                    for reason in hit.reasons
                ],
            }
            for hit in answer.hits
        ],
    }


def _log(letters: Sequence[Letter], mailing: Mailing, record: Callable[[Sequence[Event]], object]) -> None:
    if mailing.impressions:
        record([_shown(letter) for letter in letters])


def _shown(letter: Letter) -> Event:
    items = letter["items"]
    return Event(
        id=f"{SURFACE}-{letter['request']}",
        time=datetime.fromisoformat(letter["time"]),
        kind=EventKind.IMPRESSION,
        customer=letter["customer"],
        request=letter["request"],
        impression=Impression(
            items=tuple(item["item"] for item in items),
            positions=tuple(range(1, len(items) + 1)),
            propensities=tuple(item["propensity"] for item in items),
            model=letter["model"],
            surface=SURFACE,
        ),
    )
