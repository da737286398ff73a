"""The example of the page about adapters runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "learning" / "adapters.md"


@pytest.mark.slow
def test_the_example_runs(tmp_path: Path):
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    size = sum(path.stat().st_size for path in (tmp_path / "reviews").iterdir())
    assert 1.2e6 < size < 1.5e6, "the page says 1.3 MB"


def test_every_adapter_has_its_row():
    from shopkeeper.models.adapters import adapter_named

    named = re.findall(r"^\| `([a-z0-9:]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    kinds = {type(adapter_named(name)).__name__ for name in named}
    assert kinds == {"Lora", "AdaLora", "Ia3", "Prefix", "Prompt", "Bottleneck"}
    assert {"lora:8", "dora:8"} <= set(named)
