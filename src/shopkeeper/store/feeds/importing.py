"""Files into the store: products, events, reviews and other texts, orders, judgements.

Bad rows go to the rejects file and good ones into the store, batch by batch; the same file again changes nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from shopkeeper import progress
from shopkeeper.records import Item, PassageKind
from shopkeeper.store.database import SqlStore
from shopkeeper.store.feeds.formats import Opened, open_file
from shopkeeper.store.feeds.intake import (
    EventIntake,
    Intake,
    ItemIntake,
    JudgementIntake,
    Numbered,
    OrderIntake,
    TextIntake,
    total,
    write_batch,
)  # fmt: skip
from shopkeeper.store.feeds.items import ItemParser, Removal
from shopkeeper.store.feeds.mapping import ColumnMapping, settle
from shopkeeper.store.feeds.rejects import Reject, RejectsFile
from shopkeeper.store.feeds.report import ImportReport, StrictImportError
from shopkeeper.store.feeds.synonyms import Kind
from shopkeeper.store.protocols import Changes, Store

CELL_LIMIT = 100_000
"""Most characters in one cell."""

BATCH = 5_000
R = TypeVar("R")
Said = ColumnMapping | Mapping[str, Any] | None


def import_products(
    path: Path,
    store: Store,
    *,
    rejects: Path,
    format: str = "auto",  # noqa: A002 - the user's word
    mapping: Said = None,
    strict: bool = False,
    remove_missing: bool = False,
    cell_limit: int = CELL_LIMIT,
) -> ImportReport:
    """Import a catalogue: Google Merchant feed, Shopify export, CSV, TSV, JSONL or Parquet.

    Args:
        path: The file; text may be gzipped, in UTF-8, UTF-16 with a mark, or GB 18030.
        store: Where items go.
        rejects: Where refused rows are listed; made only when there are any.
        format: ``auto``, ``csv``, ``tsv``, ``jsonl``, ``parquet``, ``xml``, ``merchant`` or ``shopify``.
        mapping: Field to column where the guess is wrong or incomplete, see `parse_mapping`.
        strict: Write nothing at all when any row is bad.
        remove_missing: Remove items that the file does not name; not when the file broke off.
        cell_limit: Most characters in one cell.

    Raises:
        StrictImportError: `strict`, and there are bad rows.
        InputError: The file or the mapping as a whole cannot be used.
        StoreError: The store cannot be written.
    """

    def intake(settled: ColumnMapping) -> Intake[Item | Removal]:
        return ItemIntake(store, settled)

    run = _Run(path, "products", intake, rejects, format, mapping, cell_limit)
    if not remove_missing:
        return run.report(strict=strict)
    return run.report(strict=strict, sweep=lambda seen: _sweep(store, seen))


def import_events(
    path: Path,
    store: Store,
    *,
    rejects: Path,
    format: str = "auto",  # noqa: A002
    mapping: Said = None,
    strict: bool = False,
    allow_unknown_items: bool = False,
    cell_limit: int = CELL_LIMIT,
) -> ImportReport:
    """Import behaviour: GA4 export, Segment track calls, CSV, TSV, JSONL or Parquet.

    Args:
        path: The file, as for `import_products`.
        store: Where events go; its catalogue says which items are known.
        rejects: Where refused rows are listed.
        format: ``auto``, ``csv``, ``tsv``, ``jsonl``, ``parquet``, ``ga4`` or ``segment``.
        mapping: Field to column.
        strict: Write nothing at all when any row is bad.
        allow_unknown_items: Keep events about items that the catalogue does not have.
        cell_limit: Most characters in one cell.

    Raises:
        StrictImportError: `strict`, and there are bad rows.
        InputError: The file or the mapping as a whole cannot be used.
    """
    return _Run(
        path,
        "events",
        lambda settled: EventIntake(store, settled, allow_unknown=allow_unknown_items),
        rejects,
        format,
        mapping,
        cell_limit,
    ).report(strict=strict)


def import_reviews(
    path: Path,
    store: Store,
    *,
    rejects: Path,
    format: str = "auto",  # noqa: A002
    mapping: Said = None,
    strict: bool = False,
    allow_unknown_items: bool = False,
    cell_limit: int = CELL_LIMIT,
) -> ImportReport:
    """Import reviews from CSV, TSV, JSONL or Parquet; arguments and errors as for `import_events`."""

    def intake(settled: ColumnMapping) -> TextIntake:
        return TextIntake(store, settled, PassageKind.REVIEW, allow_unknown=allow_unknown_items)

    return _Run(path, "reviews", intake, rejects, format, mapping, cell_limit).report(strict=strict)


def import_texts(
    path: Path,
    store: Store,
    *,
    rejects: Path,
    format: str = "auto",  # noqa: A002
    mapping: Said = None,
    strict: bool = False,
    allow_unknown_items: bool = False,
    cell_limit: int = CELL_LIMIT,
) -> ImportReport:
    """Import FAQ, policies, dialogues, posts, questions: a column or constant ``kind`` says what a row is.

    Arguments and errors as for `import_events`.
    """

    def intake(settled: ColumnMapping) -> TextIntake:
        return TextIntake(store, settled, None, allow_unknown=allow_unknown_items)

    return _Run(path, "texts", intake, rejects, format, mapping, cell_limit).report(strict=strict)


def import_orders(
    path: Path,
    store: SqlStore,
    *,
    rejects: Path,
    format: str = "auto",  # noqa: A002
    mapping: Said = None,
    strict: bool = False,
    cell_limit: int = CELL_LIMIT,
) -> ImportReport:
    """Import orders from CSV, TSV, JSONL or Parquet, one row an order; arguments and errors as for `import_events`."""

    def intake(settled: ColumnMapping) -> OrderIntake:
        return OrderIntake(store.orders, settled)

    return _Run(path, "orders", intake, rejects, format, mapping, cell_limit).report(strict=strict)


def import_judgements(
    path: Path,
    store: Store,
    *,
    rejects: Path,
    format: str = "auto",  # noqa: A002
    mapping: Said = None,
    strict: bool = False,
    allow_unknown_items: bool = False,
    cell_limit: int = CELL_LIMIT,
) -> ImportReport:
    """Import graded (query, item) pairs from CSV, TSV, JSONL or Parquet; arguments and errors as for `import_events`."""

    def intake(settled: ColumnMapping) -> JudgementIntake:
        return JudgementIntake(store, settled, allow_unknown=allow_unknown_items)

    return _Run(path, "judgements", intake, rejects, format, mapping, cell_limit).report(strict=strict)


def read_products(
    path: Path,
    *,
    format: str = "auto",  # noqa: A002
    mapping: Said = None,
    cell_limit: int = CELL_LIMIT,
) -> Iterator[Item]:
    """The good items of a file, streamed, without a store; bad rows and removals are passed over.

    Raises:
        InputError: The file or the mapping as a whole cannot be used.
    """
    with open_file(path, "products", format, cell_limit) as opened:
        if not opened.columns:
            return
        parser = ItemParser(settle(opened.columns, "products", mapping, str(path)))
        for _, row in opened.rows:
            if isinstance(row, dict):
                try:
                    item = parser(row)
                except Reject:
                    continue
                if isinstance(item, Item):
                    yield item


def run_import(
    path: Path,
    kind: Kind,
    intake: Callable[[ColumnMapping], Intake[R]],
    *,
    rejects: Path,
    format: str = "auto",  # noqa: A002
    mapping: Said = None,
    strict: bool = False,
    cell_limit: int = CELL_LIMIT,
) -> ImportReport:
    """Import a file of records of any kind through their intake; the other arguments and errors as for `import_events`."""
    return _Run(path, kind, intake, rejects, format, mapping, cell_limit).report(strict=strict)


class _Run(Generic[R]):
    """One file on its way into the store."""

    def __init__(
        self,
        path: Path,
        kind: Kind,
        intake: Callable[[ColumnMapping], Intake[R]],
        rejects: Path,
        format: str,  # noqa: A002
        mapping: Said,
        cell_limit: int,
    ) -> None:
        self._path = path
        self._kind: Kind = kind
        self._intake = intake
        self._rejects = rejects
        self._format = format
        self._mapping = mapping
        self._limit = cell_limit

    def report(self, *, strict: bool, sweep: Callable[[set[str]], Changes] | None = None) -> ImportReport:
        """Import, after a pass that only looks when `strict`; then `sweep` with the ids seen."""
        if strict:
            checked = self._pass(write=False, sweep=None)
            if checked.rejected:
                raise StrictImportError(checked)
        return self._pass(write=True, sweep=sweep)

    def _pass(self, *, write: bool, sweep: Callable[[set[str]], Changes] | None) -> ImportReport:
        began = time.perf_counter()
        with open_file(self._path, self._kind, self._format, self._limit) as opened:
            return self._through(opened, write=write, sweep=sweep, began=began)

    def _through(
        self, opened: Opened, *, write: bool, sweep: Callable[[set[str]], Changes] | None, began: float
    ) -> ImportReport:
        mapping = ColumnMapping()
        if opened.columns:
            mapping = settle(opened.columns, self._kind, self._mapping, str(self._path))
        verb = "import" if write else "check"
        with (
            RejectsFile(self._rejects, self._path) as bad,
            progress.span(f"{verb} {self._kind}", opened.reader.size, opened.reader.unit) as span,
        ):
            tally = _Tally(self._intake(mapping), bad, write=write)
            done = 0
            for batch in _batches(opened):
                tally.take(batch)
                position = min(opened.reader.position, opened.reader.size)
                span.advance(position - done, rows=tally.rows, rejected=bad.count)
                done = position
            if sweep is not None and not bad.broken and opened.columns:
                tally.changes = total(tally.changes, sweep(tally.seen | tally.refused))
        changes = tally.changes
        return ImportReport(
            file=self._path.name,
            kind=self._kind,
            format=opened.format,
            rows=tally.rows,
            added=changes.added,
            updated=changes.updated,
            unchanged=changes.unchanged,
            removed=changes.removed,
            rejected=bad.count,
            reasons=dict(bad.reasons.most_common()),
            skipped=dict(tally.skipped.most_common()),
            rejects=self._rejects if bad.count else None,
            mapping=mapping,
            unmapped=mapping.unmapped(opened.columns),
            complete=not bad.broken,
            seconds=time.perf_counter() - began,
        )


class _Tally(Generic[R]):
    """Takes batches of rows through an intake and counts."""

    def __init__(self, intake: Intake[R], bad: RejectsFile, *, write: bool) -> None:
        self.rows = 0
        self.seen: set[str] = set()
        self.refused: set[str] = set()
        self.skipped: Counter[str] = Counter()
        self.changes = Changes()
        self._intake = intake
        self._bad = bad
        self._write = write
        self._last = 0

    def take(self, batch: Sequence[tuple[int, dict[str, Any] | Reject]]) -> None:
        """Parse, check and write one batch."""
        parsed: list[Numbered[R]] = []
        for number, row in batch:
            if number != self._last:
                self.rows += 1
                self._last = number
            try:
                parsed.append((number, self._parse(row)))
            except Reject as reject:
                if reject.skip:
                    self.skipped[reject.reason] += 1
                else:
                    self._bad.add(number, reject)
        good = self._intake.check(parsed, self._bad.add)
        if self._write and good:
            self.changes = total(self.changes, write_batch(self._intake, good, self._bad.add))

    def _parse(self, row: dict[str, Any] | Reject) -> R:
        if isinstance(row, Reject):
            raise row
        parser = self._intake.parser
        identifier = parser.identify(row)
        if identifier in self.seen:
            raise Reject("duplicate id", "id", identifier)
        try:
            record = parser(row)
        except Reject:
            self.refused.add(identifier)
            raise
        if identifier:
            self.seen.add(identifier)
        return record


def _batches(opened: Opened) -> Iterator[list[tuple[int, dict[str, Any] | Reject]]]:
    batch: list[tuple[int, dict[str, Any] | Reject]] = []
    for row in opened.rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _sweep(store: Store, seen: set[str]) -> Changes:
    """Remove the items that the file did not name."""
    missing = [item.id for item in store.catalogue.scan() if item.id not in seen]
    removed = Changes()
    for start in range(0, len(missing), BATCH):
        removed = total(removed, store.catalogue.remove(missing[start : start + BATCH]))
    return removed
