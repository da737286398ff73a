"""What an import did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shopkeeper.errors import InputError
from shopkeeper.store.feeds.mapping import ColumnMapping


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Counts of one import.

    Attributes:
        rows: Rows read, good and bad. A row that names several items counts once.
        added: Records that were not there before.
        updated: Records that were there and said something else.
        unchanged: Records that were there already.
        removed: Records taken away: marked as deleted, or missing from the file where that was asked for.
        rejected: Refused rows (or items of a row).
        reasons: Reason to how often.
        skipped: What is no business of ours (page views among shop events) to how often.
        rejects: The file that says which and why; None when nothing was refused.
        mapping: Which column was read as what.
        unmapped: Columns kept as attributes or properties, or dropped for reviews and judgements.
        format: What the file was read as.
        complete: False when reading broke off (broken XML, truncated file); nothing is removed as missing then.
        seconds: Wall time.
    """

    file: str
    kind: str
    format: str
    rows: int
    added: int
    updated: int
    unchanged: int
    removed: int
    rejected: int
    reasons: Mapping[str, int]
    skipped: Mapping[str, int]
    rejects: Path | None
    mapping: ColumnMapping = field(default_factory=ColumnMapping)
    unmapped: tuple[str, ...] = ()
    complete: bool = True
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The report as plain data."""
        names = (
            "file",
            "kind",
            "format",
            "rows",
            "added",
            "updated",
            "unchanged",
            "removed",
            "rejected",
            "complete",
            "seconds",
        )
        tree = {name: getattr(self, name) for name in names}
        return tree | {
            "reasons": dict(self.reasons),
            "skipped": dict(self.skipped),
            "rejects": str(self.rejects) if self.rejects else None,
            "mapping": self.mapping.to_json(),
            "unmapped": list(self.unmapped),
        }


class StrictImportError(InputError):
    """A strict import met bad rows and wrote nothing; `report` says which."""

    def __init__(self, report: ImportReport) -> None:
        self.report = report
        reasons = ", ".join(f"{count} x {reason}" for reason, count in report.reasons.items())
        super().__init__(
            f"{report.rejected} of {report.rows} rows are bad ({reasons}); nothing was written.",
            where=report.file,
            cure=f"Mend them (listed in {report.rejects}), or import without strict.",
        )
