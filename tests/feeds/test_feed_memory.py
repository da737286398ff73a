"""Large files stream: memory stays under a gigabyte however many rows there are."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

ROWS = 300_000
SCRIPT = """
import json, resource, sys
from pathlib import Path
from shopkeeper.store.database import open_store
from shopkeeper.store.feeds import import_events, import_products

folder = Path(sys.argv[1])
with open_store(f"sqlite:///{folder / 'shop.db'}") as store:
    products = import_products(folder / sys.argv[2], store, rejects=folder / "r.jsonl")
    events = import_events(folder / sys.argv[3], store, rejects=folder / "r.jsonl")
try:  # getrusage would count the memory of the process that started this one
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0])
except OSError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([products.added, products.rejected, events.added, events.rejected, peak]))
"""


@pytest.mark.slow
def test_three_hundred_thousand_rows_stay_under_a_gigabyte(tmp_path):
    words = [
        "steel",
        "garden",
        "rake",
        "with",
        "a",
        "long",
        "wooden",
        "handle",
        "for",
        "leaves",
        "and",
        "moss,",
        "made",
        "to",
        "last",
    ]
    with (tmp_path / "p.csv").open("w") as products, (tmp_path / "e.jsonl").open("w") as events:
        products.write("id,title,description,price,brand,category,colour\n")
        for row in range(ROWS):
            text = " ".join(words[row % 7 :] * 3)
            products.write(f'sku-{row},"Rake {row}","{text}",{row % 900}.50 USD,Brand {row % 50},A > B{row % 9},red\n')
            events.write(
                f'{{"time":{1_700_000_000 + row},"user":"u{row % 999}","item":"sku-{row % 5000}","event":"view"}}\n'
            )
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), "p.csv", "e.jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=500)
    added, refused, happened, missed, peak = json.loads(done.stdout)
    assert (added, refused, happened, missed) == (ROWS, 0, ROWS, 0)
    kilobytes = peak / 1024 if sys.platform == "darwin" else peak
    assert kilobytes < 1_000_000
