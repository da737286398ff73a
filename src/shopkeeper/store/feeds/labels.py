"""Texts that people have sorted already: questions with their department, messages with their office and its reply.

Each row becomes a question among the shop's words, a decision in the review queue that `train TASK` learns from, and, where
the label set lets replies be kept, the reply in the question's thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from shopkeeper.domains import LabelSet
from shopkeeper.records import Decision, Passage, PassageKind, now
from shopkeeper.store.feeds import values
from shopkeeper.store.feeds.cells import Cells, Read, Row
from shopkeeper.store.feeds.dates import when
from shopkeeper.store.feeds.importing import CELL_LIMIT, Said, run_import
from shopkeeper.store.feeds.intake import Numbered, Parser, Refuse
from shopkeeper.store.feeds.items import guess_language
from shopkeeper.store.feeds.mapping import ColumnMapping
from shopkeeper.store.feeds.rejects import Reject
from shopkeeper.store.feeds.report import ImportReport
from shopkeeper.store.protocols import Changes, Store

STAFF: Final = "staff"
"""Author of replies."""
RATER: Final = "import"


@dataclass(frozen=True, slots=True)
class Sorted:
    """A text, what was decided about it, and what was replied; the last two may be missing, not both."""

    question: Passage
    decision: Decision | None
    reply: Passage | None


class SortedParser:
    """Makes a `Sorted` of a row.

    Args:
        mapping: Which column holds what; other columns are dropped.
        labels: The question; its classes, where it names any, are the only answers.
    """

    def __init__(self, mapping: ColumnMapping, labels: LabelSet) -> None:
        cells = Cells(mapping)
        order = mapping.dates
        self._cells, self._labels = cells, labels
        self._id = cells.identifier("id")
        self._customer = cells.identifier("customer")
        self._title = cells.text("title", values.line)
        self._text = cells.text("text", values.paragraph)
        self._label = cells.text("label", values.line)
        self._reply: Read[str] = cells.text("reply", values.paragraph) if labels.replies else lambda _: ""
        self._time = cells.parsed("time", lambda value: when(value, order), "unparsable date")

    def identify(self, row: Row) -> str:
        """The id, or one made of the words."""
        return self._id(row) or blake2b(f"{self._title(row)}\n{self._text(row)}".encode(), digest_size=16).hexdigest()

    def __call__(self, row: Row) -> Sorted:
        """Parse one row.

        Raises:
            Reject: It has no text, neither label nor reply, or a label that is no class.
        """
        title, text, reply = self._title(row), self._text(row), self._reply(row)
        if not (title or text):
            raise Reject("no text", self._cells.column("text"))
        label = self._known(row)
        if not (label or reply):
            raise Reject("neither label nor reply", self._cells.column("label"))
        name, time, customer = self.identify(row), self._time(row), self._customer(row)
        question = Passage(
            id=name,
            kind=PassageKind.QUESTION,
            text=text or title,
            title=title if text else "",
            thread=name,
            customer=customer,
            time=time,
            language=guess_language(text or title),
        )
        return Sorted(question, self._decision(question, label), _answer(question, reply))

    def _known(self, row: Row) -> str:
        said = self._label(row)
        if not said or not self._labels.names:
            return said
        if (name := self._labels.names.get(said.casefold())) is None:
            raise Reject(f"no class of {self._labels.task}", self._cells.column("label"), said)
        return name

    def _decision(self, question: Passage, label: str) -> Decision | None:
        if not label:
            return None
        text = f"{question.title}. {question.text}" if question.title else question.text
        return Decision(
            task=self._labels.task,
            subject=question.id,
            text=text,
            customer=question.customer,
            label=label,
            rater=RATER,
            time=question.time or now(),
        )


class SortedIntake:
    """Sorted texts into the store's words and labels. What a human decided in the queue stays as it is."""

    def __init__(self, store: Store, mapping: ColumnMapping, labels: LabelSet) -> None:
        self.parser: Parser[Sorted] = SortedParser(mapping, labels)
        self._store = store

    def check(self, batch: Sequence[Numbered[Sorted]], refuse: Refuse) -> list[Numbered[Sorted]]:  # noqa: ARG002
        """All of them: they depend on nothing."""
        return list(batch)

    def write(self, batch: Sequence[Sorted]) -> Changes:
        """Put texts and replies, note decisions; counted are the texts."""
        self._store.words.put([one.reply for one in batch if one.reply])
        self._store.labels.propose([one.decision for one in batch if one.decision])
        return self._store.words.put([one.question for one in batch])


def import_labels(
    path: Path,
    store: Store,
    *,
    labels: LabelSet,
    rejects: Path,
    format: str = "auto",  # noqa: A002 - the user's word
    mapping: Said = None,
    strict: bool = False,
    cell_limit: int = CELL_LIMIT,
) -> ImportReport:
    """Import sorted texts from CSV, TSV, JSONL or Parquet; the same file again changes nothing.

    Args:
        path: The file.
        store: Where texts and decisions go.
        labels: The question they answer; replies are kept only where it says so.
        rejects: Where refused rows are listed.
        format: ``auto``, ``csv``, ``tsv``, ``jsonl`` or ``parquet``.
        mapping: Field to column: ``id``, ``title``, ``text``, ``label``, ``reply``, ``time``, ``customer``.
        strict: Write nothing at all when any row is bad.
        cell_limit: Most characters in one cell.

    Raises:
        StrictImportError: `strict`, and there are bad rows.
        InputError: The file or the mapping as a whole cannot be used.
    """

    def intake(settled: ColumnMapping) -> SortedIntake:
        return SortedIntake(store, settled, labels)

    return run_import(
        path,
        "labels",
        intake,
        rejects=rejects,
        format=format,
        mapping=mapping,
        strict=strict,
        cell_limit=cell_limit,
    )


def _answer(question: Passage, reply: str) -> Passage | None:
    if not reply:
        return None
    return Passage(
        id=f"{question.id[:190]}/reply",
        kind=PassageKind.DIALOGUE,
        text=reply,
        thread=question.thread,
        customer=question.customer,
        author=STAFF,
        language=guess_language(reply),
    )
