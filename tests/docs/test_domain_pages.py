"""The commands and links of the pages on other walks of life, checked like those of the other pages."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_documentation import ROOT, commands

PAGES = sorted((ROOT / "docs" / "domains").glob("*.md"))


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page.stem != "README"], ids=lambda page: page.stem)
def test_every_command_of_the_page_works(page, tmp_path):
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    changed = {"MODELS__ENCODER": "minilm", "TRAIN__MINUTES": "0.2", "TRAIN__EPOCHS": "1"}
    environ = {**os.environ, "PATH": path, **{f"SHOPKEEPER_{key}": value for key, value in changed.items()}}
    lines = commands(page)
    assert len(lines) >= 4
    for line in lines:
        done = subprocess.run(
            shlex.split(line), cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, f"{page.name}: {line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_of_the_page_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which does not exist"
