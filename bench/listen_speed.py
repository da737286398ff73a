"""Posts a second through the API into SQLite and through the reader, for a minute, with a kill -9 in the middle.

A real server in a process of its own takes batches of 100 real Chinese reviews from one caller at 500 posts/s (or as fast as it
goes: `peak`), reads them with the static tier (words, or a linear sentiment model) and is killed half-way. What was
acknowledged must be on disk, and read after the restart: `lost` is how many posts are not.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import psutil

from bench.contract import Metric, Row
from shopkeeper.records import Item
from shopkeeper.store.database import open_store

_BATCH = 100
_RATE = 500.0
_SERVER = """
import sys
from pathlib import Path
from shopkeeper import settings
from shopkeeper.serving.app import create_app
from shopkeeper.serving.server import serve
from shopkeeper.tasks.shop import open_shop
given = settings.load(Path(sys.argv[1]), environ={}, overrides={
    "serve.port": sys.argv[2], "serve.keys_required": False, "models.encoder": "use-multilingual", "serve.body_limit": 50_000_000,
})
shop = open_shop(given)
shop.listen.start()
serve(shop, create_app(shop, keys=None))
"""


@dataclass(slots=True)
class _Ran:
    """What happened while posts were sent."""

    acknowledged: list[str] = field(default_factory=list)
    refused: int = 0
    waiting: list[int] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    cpu: float = 0.0
    seconds: float = 0.0


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """A row at 500 posts/s with a kill in the middle, and one as fast as it goes.

    Args:
        data: Folder of the public data sets.
        quick: 10 seconds in place of 60.
        seed: Of the order of reviews.
    """
    seconds = 10.0 if quick else 60.0
    texts = pl.read_parquet(data / "zh_shopping_reviews" / "online_shopping_10_cats.parquet")["review"].to_list()
    order = np.random.default_rng(seed).permutation(len(texts))
    texts = [texts[row] for row in order.tolist()]
    return [
        _row("shopkeeper 500 posts/s, killed half-way", texts, seconds, _RATE, kill=True),
        _row("shopkeeper peak", texts, seconds, 1e9),
    ]


def _row(name: str, texts: list[str], seconds: float, rate: float, *, kill: bool = False) -> Row:
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        with open_store(f"sqlite:///{home / 'shop.db'}") as store:
            store.catalogue.put(
                [
                    Item(id="milk", title="蒙牛纯牛奶 1 l", brand="蒙牛"),
                    Item(id="pc", title="联想 笔记本", brand="联想"),
                ]
            )
        ran = _Ran()
        server = _Server(home)
        half = seconds / 2 if kill else seconds
        _send(server, texts, half, rate, ran)
        if kill:
            server.kill()
            server = _Server(home)
            _send(server, texts, half, rate, ran)
        began = time.perf_counter()
        with open_store(f"sqlite:///{home / 'shop.db'}") as store:
            while store.readings.unread(1) and time.perf_counter() - began < 120:
                time.sleep(0.5)
            drained = time.perf_counter() - began
            server.stop()
            sent = set(ran.acknowledged)
            kept = set(store.words.get(list(sent)))
            read = {one.id for one in store.readings.scan()}
    read_seconds = ran.seconds + drained
    metrics = {
        "acknowledged_per_second": Metric(len(sent) / ran.seconds),
        "read_per_second": Metric(len(sent & read) / read_seconds),
        "lost": Metric(len(sent - kept) + len(sent - read)),
        "refused_batches": Metric(ran.refused),
        "queue_p95": Metric(float(np.percentile(ran.waiting, 95))),
        "drained_seconds": Metric(drained),
        "cores": Metric(ran.cpu / ran.seconds),
        "latency_p95_ms": Metric(1_000 * float(np.percentile(ran.latency, 95))),
        "peak_mb": Metric(max(ran.memory)),
    }
    return Row(name, metrics, ran.seconds)


def _send(server: _Server, texts: list[str], seconds: float, rate: float, ran: _Ran) -> None:
    """Batches of posts at a rate; one that is refused is sent again after as long as the server asks."""
    began, busy = time.perf_counter(), server.process.cpu_times()
    sent = 0
    while (now := time.perf_counter() - began) < seconds:
        if sent > rate * now:
            time.sleep((sent - rate * now) / rate)
        first = len(ran.acknowledged) + len(ran.latency)
        posts = [
            {
                "id": f"p-{first}-{n}-{os.getpid()}",
                "text": texts[(len(ran.acknowledged) + n) % len(texts)],
                "source": "bench",
            }
            for n in range(_BATCH)
        ]
        started = time.perf_counter()
        answer = server.post(posts)
        if answer is None:
            ran.refused += 1
            time.sleep(1.0)
            continue
        ran.latency.append(time.perf_counter() - started)
        ran.acknowledged.extend(str(post["id"]) for post in posts)
        ran.waiting.append(int(answer["waiting"]))
        ran.memory.append(server.process.memory_info().rss / 1e6)
        sent += _BATCH
    spent = server.process.cpu_times()
    ran.cpu += spent.user + spent.system - busy.user - busy.system
    ran.seconds += time.perf_counter() - began


class _Server:
    """A shop that serves, in a process of its own."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        command = [sys.executable, "-c", _SERVER, str(home), str(self._port)]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.process = psutil.Process(self._process.pid)
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self.post([]) is not None:
                    return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.2)
        raise TimeoutError("the server does not come up")

    def post(self, posts: list[dict[str, str]]) -> dict[str, int] | None:
        """Send posts; None when there are too many."""
        body = json.dumps({"posts": posts}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/v1/posts", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                found: dict[str, int] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            if error.code in (429, 503):
                return None
            raise

    def kill(self) -> None:
        """As the power goes."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """As an operator does."""
        self._process.terminate()
        self._process.wait(timeout=60)
