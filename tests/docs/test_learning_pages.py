"""The commands of the pages on tracking, tuning and tagging, run like those of the other pages."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_documentation import ROOT, commands


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "encoder"), [("tracking", "use-multilingual"), ("tuning", "minilm"), ("tagging", "use-multilingual")]
)
def test_every_command_of_the_page_works(name, encoder, tmp_path):
    page = ROOT / "docs" / "learning" / f"{name}.md"
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    changed = {"MODELS__ENCODER": encoder, "TRAIN__MINUTES": "0.2", "TRAIN__EPOCHS": "1"}
    environ = {**os.environ, "PATH": path, **{f"SHOPKEEPER_{key}": value for key, value in changed.items()}}
    lines = commands(page)
    assert len(lines) >= 3
    for line in lines:
        done = subprocess.run(
            shlex.split(line), cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, f"{page.name}: {line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
