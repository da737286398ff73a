"""What humans decided, and what waits for them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import sqlalchemy as sa

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import Decision, Judgement, now
from shopkeeper.store import codec
from shopkeeper.store.engine import Database
from shopkeeper.store.protocols import Changes
from shopkeeper.store.rows import Records, Row, parts
from shopkeeper.store.schema import decisions, judgements

_KEY_BYTES = 2_000  # what PostgreSQL's index can hold, with room to spare
_LABEL = [column.name for column in decisions.columns].index("label")

_LONGEST_ITEM = 120


class SqlLabels:
    """Judgements, and the review queue, in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._judgements: Records[Judgement] = Records(database, judgements, _encode, _decode)
        self._decisions: Records[Decision] = Records(
            database, decisions, _encode_decision, _decode_decision, settled=lambda row: bool(row[_LABEL])
        )

    def put(self, judgements: Iterable[Judgement]) -> Changes:
        """Add or replace grades by (query, item, rater), 5,000 to a transaction; equal ones are left alone.

        Raises:
            InputError: A judgement cannot be kept: no item, a NUL character, a grade that is not finite, a query too long.
        """
        return self._judgements.put(judgements)

    def scan(self) -> Iterator[Judgement]:
        """All grades, streamed, ordered by (query, item, rater)."""
        return self._judgements.scan()

    def count(self) -> int:
        """How many grades there are."""
        return self._judgements.count()

    def propose(self, decisions: Iterable[Decision]) -> Changes:
        """Put questions into the review queue by (task, subject), 5,000 to a transaction.

        A question that waits already gets the new text, proposal and score; what a human decided stays as it is.

        Raises:
            InputError: A question cannot be kept: no task, no subject, a NUL character, a score that is not finite.
        """
        return self._decisions.put(decisions)

    def decide(self, task: str, subject: str, label: str, rater: str = "", *, unless: Collection[str] = ()) -> Decision:
        """Answer a question, or correct the answer.

        Args:
            task: Which queue.
            subject: Which question.
            label: The answer.
            rater: Who answers.
            unless: Answers of others that are not written over; their own they may.

        Returns:
            What stands now: somebody else's answer where it is one of `unless`.

        Raises:
            NotFoundError: Nobody asked that question.
            InputError: The label is empty.
        """
        of_question = (decisions.c.task == task) & (decisions.c.subject == subject)
        with self._database.writing(decisions) as connection:
            found = connection.execute(sa.select(decisions).where(of_question)).first()
            if found is None:
                raise NotFoundError(
                    f"There is no question about {subject!r}.", where=f"task {task!r}", cure="Propose it first."
                )
            before = _decode_decision(tuple(found))
            if before.label in unless and before.rater != rater:
                return before
            decision = replace(before, label=label, rater=rater, time=now())
            if decision.waits:
                raise InputError("The label is empty.", where=f"task {task!r}, subject {subject!r}", cure="Name one.")
            _encode_decision(decision)
            answer = {"label": label, "rater": rater, "time": codec.optional_micros(decision.time)}
            connection.execute(sa.update(decisions).where(of_question).values(answer))
        return decision

    def pending(self, task: str, limit: int = 50, *, after: Decision | None = None) -> list[Decision]:
        """Questions that wait for a human, highest score first, then by subject; those behind `after` where it is given."""
        query = (
            sa.select(decisions)
            .where(decisions.c.task == task, decisions.c.label == "")
            .order_by(decisions.c.score.desc(), decisions.c.subject)
            .limit(limit)
        )
        if after is not None:
            level = (decisions.c.score == after.score) & (decisions.c.subject > after.subject)
            query = query.where((decisions.c.score < after.score) | level)
        with self._database.reading() as connection:
            return [_decode_decision(tuple(row)) for row in connection.execute(query)]

    def decided(self, task: str) -> Iterator[Decision]:
        """What humans decided, streamed, ordered by subject."""
        return self._decisions.scan(decisions.c.task == task, decisions.c.label != "")

    def remove(self, task: str, subjects: Sequence[str], *, customers: Collection[str] = ()) -> int:
        """Delete questions with what was decided, only those of `customers` where any are named; how many there were."""
        of_customers = (decisions.c.customer.in_(list(customers)),) if customers else ()
        with self._database.writing(decisions) as connection:
            deletions = (
                sa.delete(decisions).where(decisions.c.task == task, decisions.c.subject.in_(part), *of_customers)
                for part in parts(subjects)
            )
            return sum(connection.execute(deletion).rowcount for deletion in deletions)

    def withdraw(self, task: str) -> int:
        """Take the questions of a task that still wait out of the queue; how many there were."""
        with self._database.writing(decisions) as connection:
            waiting = (decisions.c.task == task) & (decisions.c.label == "")
            return connection.execute(sa.delete(decisions).where(waiting)).rowcount


def _encode(judgement: Judgement) -> Row:
    codec.check_id(judgement.item, "judgement", "item")
    codec.check_length(judgement.rater, "judgement", "rater")
    codec.check_texts((judgement.query, judgement.item, judgement.rater), "judgement", judgement.item)
    if len((judgement.query + judgement.item + judgement.rater).encode()) > _KEY_BYTES:
        raise InputError(
            f"Query, item and rater together have more than {_KEY_BYTES:,} bytes.",
            where=f"judgement of {judgement.item[:40]!r}",
            cure="Shorten the query.",
        )
    grade = codec.number(judgement.grade, "judgement", judgement.item)
    return judgement.query, judgement.item, judgement.rater, grade


def _decode(row: Row) -> Judgement:
    return Judgement(query=row[0], item=row[1], rater=row[2], grade=row[3])


def _encode_decision(decision: Decision) -> Row:
    codec.check_id(decision.subject, "decision", "subject")
    codec.check_id(decision.task, "decision", "task")
    for field in ("proposal", "customer", "label", "rater"):
        codec.check_length(getattr(decision, field), "decision", field)
    words = (decision.task, decision.subject, decision.text, decision.proposal)
    who = (decision.customer, decision.label, decision.rater)
    codec.check_texts((*words, *who), "decision", decision.subject)
    score = codec.number(decision.score, "decision", decision.subject)
    return *words, score, *who, codec.optional_micros(decision.time)


def _decode_decision(row: Row) -> Decision:
    task, subject, text, proposal, score, customer, label, rater, time = row
    return Decision(
        task=task,
        subject=subject,
        text=text,
        proposal=proposal,
        score=score,
        customer=customer,
        label=label,
        rater=rater,
        time=codec.optional_moment(time),
    )


def item_key(item: str) -> str:
    """An item's id as it stands at the head of a subject; a long one as a hash of itself, to leave room for more."""
    return item if len(item) <= _LONGEST_ITEM else "~" + hashlib.blake2b(item.encode(), digest_size=16).hexdigest()
