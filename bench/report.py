"""Writes `bench/RESULTS.md` from the JSON files in `bench/results/`; nobody edits that page by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.contract import ROOT

RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "bench" / "RESULTS.md"

_HEAD = """# Results

Written by `python -m bench report` from `bench/results/*.json`. Values in brackets are 95 % bootstrap intervals over
queries or users. Rows that start with `shopkeeper` are ours; all rows of a table come from the same run.
Commits with `+` were measured with uncommitted changes.
"""


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table of rows, metrics as columns in order of first appearance."""
    names = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
    lines = ["| system | " + " | ".join(names) + " | seconds |", "|---" * (len(names) + 2) + "|"]
    for row in rows:
        cells = [_cell(row["metrics"].get(name)) for name in names]
        lines.append(f"| {row['system']} | " + " | ".join(cells) + f" | {row['seconds']:.0f} |")
    notes = [f"- {row['system']}: {row['notes']}" for row in rows if row.get("notes")]
    return "\n".join(lines + ([""] if notes else []) + notes)


def write_page() -> Path:
    """Rewrite the page from every stored result; returns its path."""
    parts = [_HEAD]
    for file in sorted(RESULTS.glob("*.json")):
        report = json.loads(file.read_text(encoding="utf-8"))
        parts.append(
            f"## {file.stem}\n\n`{report['command']}`: commit {report['commit']}, {report['machine']}, "
            f"{report['date']}, {report['seconds']:.0f} s, peak {report['peak_mb']:.0f} MiB\n\n{table(report['rows'])}\n"
        )
    PAGE.write_text("\n".join(parts), encoding="utf-8")
    return PAGE


def _cell(metric: Mapping[str, float] | None) -> str:
    if metric is None:
        return ""
    value = _number(metric["value"])
    return f"{value} [{_number(metric['low'])}, {_number(metric['high'])}]" if "low" in metric else value


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.4f}"
