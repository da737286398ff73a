"""A real server under load: models are swapped and nobody notices; a stop finishes what was begun."""

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from toyshop import toy_items

from shopkeeper.errors import StoreError
from shopkeeper.records import Answer, Event, EventKind, Hit, Request, now
from shopkeeper.serving.app import create_app
from shopkeeper.serving.impressions import ImpressionLog
from shopkeeper.serving.server import refreshed
from shopkeeper.serving.telemetry import Metrics, configure_logs
from shopkeeper.store.database import open_store
from shopkeeper.tasks.shop import Shop


@pytest.fixture
def address(shop: Shop) -> Iterator[str]:
    """A real uvicorn on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(create_app(shop, keys=None), port=port, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=20)
    assert not thread.is_alive()


def test_reload_fails_no_request(address: str, shop: Shop):
    statuses: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=address, timeout=60) as client:
            while not stop.is_set():
                statuses.append(client.get("/v1/search", params={"q": "garden"}).status_code)
                statuses.append(client.post("/v1/recommend", json={"customer": "c01"}).status_code)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for swap in range(1, 4):
        shop.reload()
        limit = time.monotonic() + 20
        while len(statuses) < 20 * swap and time.monotonic() < limit:
            time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert len(statuses) >= 60
    assert set(statuses) == {200}


def test_changes_by_others_are_taken_up(shop: Shop, address: str):
    other = open_store(shop.settings.store_url)
    changed = toy_items()[0]
    with refreshed(shop, 0.05):
        other.catalogue.put([type(changed)(id="outside", title="Quixotic lantern", currency="EUR", price=3.0)])
        limit = time.monotonic() + 30
        items: list[str] = []
        while "outside" not in items and time.monotonic() < limit:
            hits = httpx.get(f"{address}/v1/search", params={"q": "quixotic lantern"}, timeout=60).json()["hits"]
            items = [hit["item"] for hit in hits]
    other.catalogue.remove(["outside"])
    other.close()
    shop.refresh()
    assert "outside" in items


def answer(number: int) -> Answer:
    return Answer(request=Request(id=f"r{number}", session="s"), hits=(Hit(item="a", score=1.0),), total=1)


def test_a_stop_writes_every_impression():
    written: list[str] = []

    def slowly(events):
        time.sleep(0.01)
        written.extend(event.request for event in events)
        return len(events)

    log = ImpressionLog(slowly, Metrics(), capacity=5)
    for number in range(50):
        log.add(answer(number))
    log.close()
    assert written == [f"r{n}" for n in range(50)]


def test_a_click_is_written_behind_the_page_it_was_on():
    written: list[str] = []

    def record(events):
        written.extend(f"{event.kind.value} {event.request}" for event in events)
        return len(events)

    log = ImpressionLog(record, Metrics())
    for number in range(3):
        log.add(answer(number))
    for request in ("r1", "never shown"):
        click = Event(id=f"click {request}", time=now(), kind=EventKind.CLICK, item="a", request=request)
        log.before([click])
        record([click])
    log.close()
    assert written == ["impression r0", "impression r1", "impression r2", "click r1", "click never shown"]


def test_a_store_that_stumbles_loses_nothing():
    written = []
    stumbles = iter([True, True, False])

    def record(events):
        if next(stumbles, False):
            raise StoreError("locked")
        written.extend(events)
        return len(events)

    log = ImpressionLog(record, Metrics())
    log.add(answer(1))
    assert log.flush()
    log.close()
    assert [event.kind for event in written] == [EventKind.IMPRESSION]


def test_log_lines_are_json_with_the_request_id(capsys: pytest.CaptureFixture[str], shop: Shop):
    from fastapi.testclient import TestClient

    before = logging.getLogger().handlers[:], logging.getLogger().level
    configure_logs()
    try:
        TestClient(create_app(shop, keys=None)).get("/v1/health", headers={"X-Request-Id": "visible-in-the-log"})
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    finally:
        logging.getLogger().handlers[:], logging.getLogger().level = before[0], before[1]
        logging.getLogger("shopkeeper").setLevel(logging.NOTSET)
    (line,) = [line for line in lines if line.get("path") == "/v1/health"]
    assert line["request_id"] == "visible-in-the-log"
    assert line["status"] == 200
    assert line["level"] == "info"
