"""The figures that the READMEs show are those of the last runs."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def shown(page: str) -> dict[str, list[str]]:
    text = (ROOT / page).read_text(encoding="utf-8")
    rows = re.findall(r"^\|[^|]*\|[^|]*\|(.*)\|[^|]*RESULTS\.md#([\w-]+)\) \|$", text, re.MULTILINE)
    return {bench: re.findall(r"(?<!\d)\.\d{3}", cells) for cells, bench in rows}


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_every_figure_of_the_page_was_measured(page: str):
    found = shown(page)
    assert len(found) >= 8
    for bench, figures in found.items():
        run = json.loads((ROOT / "bench" / "results" / f"{bench}.json").read_text(encoding="utf-8"))
        values = [metric["value"] for row in run["rows"] for metric in row["metrics"].values()]
        measured = {f"{value:.3f}".removeprefix("0") for value in values if value is not None}
        assert len(figures) >= 2, bench
        assert set(figures) <= measured, f"{page}: {bench} was measured again; correct the table"


def test_both_pages_show_the_same_figures():
    assert shown("README.md") == shown("README.zh-CN.md")
