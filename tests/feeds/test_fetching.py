"""Downloads of what items name by address, from a real server that behaves well and badly."""

from __future__ import annotations

import io
import json
import shutil
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shopkeeper import progress
from shopkeeper.errors import InputError
from shopkeeper.records import Item
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.feeds import ImportReport, StrictImportError, downloading
from shopkeeper.store.feeds.downloading import Hosts, NoAnswerError, Patience, download, is_public, parse
from shopkeeper.store.feeds.downloading import resolve as system_resolve
from shopkeeper.store.feeds.fetching import fetch_media
from shopkeeper.store.feeds.rejects import Reject

LOOPBACK = "127.0.0.1"
VIDEO = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2mp41" + bytes(100)
PATIENCE = Patience(total=60.0, idle=1.5)


def photo(colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "JPEG")
    return file.getvalue()


class Server(ThreadingHTTPServer):
    """Answers by path, and remembers who was asked for what."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.asked: list[tuple[str, str]] = []
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()
        self.release = threading.Event()

    def handle_error(self, *_: object) -> None:
        """Clients hang up on this server on purpose."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.asked.append((self.headers["Host"], self.path))
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        time.sleep(0.005)  # so that requests overlap where they may
        with self.server.lock:
            self.server.at_once -= 1
        self._answer(self.path.partition("?")[0].split("/")[1:])

    def _answer(self, words: list[str]) -> None:
        port = self.server.server_address[1]
        match words:
            case ["to", host]:
                self._send(302, b"", Location=f"http://{host}:{port}/photo.jpg")
            case ["round"]:
                self._send(302, b"", Location="/round")
            case ["hop", count]:
                self._send(307, b"", Location=f"/hop/{int(count) - 1}" if int(count) > 1 else "/photo.jpg")
            case ["status", code]:
                self._send(int(code), b"")
            case ["page.jpg"]:
                self._send(200, b"<html>", **{"Content-Type": "image/jpeg"})
            case ["video.mp4"]:
                self._send(200, VIDEO)
            case ["short.jpg"]:
                self._send(200, photo(), **{"Content-Length": "100000"})
            case ["large.jpg"]:
                self._send(200, b"", **{"Content-Length": "21000000"})
            case ["endless.jpg"]:
                self._begin(200)
                self.wfile.write(photo())
                for _ in range(400):
                    self.wfile.write(bytes(1 << 16))
            case ["slow.jpg"]:
                self._begin(200)
                self.wfile.write(photo()[:50])
                self.server.release.wait(20)
            case ["drip"]:
                while not self.server.release.wait(0.05):
                    self.wfile.write(b"H")
            case ["rubbish"]:
                self.wfile.write(b"no http at all\r\n\r\n")
            case _:
                self._send(200, photo(), **{"Content-Type": "text/plain"})

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self._begin(status, **{"Content-Length": str(len(body)), **headers})
        self.wfile.write(body)

    def _begin(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield running
    finally:
        running.release.set()
        running.shutdown()
        thread.join()
        running.server_close()


class Shop:
    """A store whose items name addresses of the server, under names that only this shop knows."""

    def __init__(self, home: Path, store: SqlStore, server: Server) -> None:
        self.store = store
        self.server = server
        self.port = server.server_address[1]
        self.media = home / "media"
        self.rejects = home / "rejects.jsonl"
        self.hosts = [f"cdn.shop.example:{self.port}", f"*.pictures.example:{self.port}"]
        self.resolved: Counter[str] = Counter()
        self.addresses = {"private.pictures.example": ["192.168.1.1"], "mixed.pictures.example": [LOOPBACK, "10.0.0.1"]}

    def url(self, path: str, host: str = "cdn.shop.example") -> str:
        return f"http://{host}:{self.port}/{path}"

    def sell(self, *images: str, videos: tuple[str, ...] = (), item: str = "rake") -> None:
        self.store.catalogue.put([Item(id=item, title="Rake", images=images, videos=videos)])

    def resolve(self, host: str, port: int) -> list[str]:
        self.resolved[host] += 1
        return self.addresses.get(host, [LOOPBACK])

    def public(self, address: str) -> bool:
        return address == LOOPBACK or is_public(address)

    def take(self, **options: object) -> ImportReport:
        given_: dict[str, object] = {"resolve": self.resolve, "public": self.public, "patience": PATIENCE, **options}
        return fetch_media(self.store, self.media, self.hosts, rejects=self.rejects, **given_)  # type: ignore[arg-type]

    def item(self, name: str = "rake") -> Item:
        return self.store.catalogue.get([name])[name]

    def refused(self) -> dict[str, str]:
        lines = map(json.loads, self.rejects.read_text(encoding="utf-8").splitlines())
        return {line["value"].partition(f":{self.port}/")[2].partition(": ")[0]: line["reason"] for line in lines}

    def files(self) -> list[str]:
        return sorted(path.relative_to(self.media).as_posix() for path in self.media.rglob("*") if path.is_file())


@pytest.fixture
def shop(tmp_path: Path, server: Server) -> Iterator[Shop]:
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store:
        yield Shop(tmp_path, store, server)


def test_addresses_of_listed_hosts_become_files_and_others_stay(shop: Shop):
    far = "https://elsewhere.example/a.jpg"
    shop.sell(shop.url("a.jpg?size=1 2"), far, "own.jpg", shop.url("b", "eu.pictures.example"), "ftp://x.example/a.jpg", videos=(shop.url("video.mp4"),))  # fmt: skip
    shop.sell(shop.url("b", "eu.pictures.example"), item="can")
    report = shop.take()
    first, second, third, fourth, fifth = shop.item().images
    assert (second, third, fifth) == (far, "own.jpg", "ftp://x.example/a.jpg")
    assert (shop.media / first).read_bytes() == photo()
    assert shop.item("can").images == (fourth,)
    assert first.startswith("fetched/")
    assert first.endswith(".jpg")
    assert (shop.media / shop.item().videos[0]).read_bytes() == VIDEO
    assert (report.rows, report.added, report.rejected) == (3, 3, 0)
    assert report.skipped == {"host not listed": 1, "malformed address": 1}
    hosts = {host for host, _ in shop.server.asked}
    assert hosts == {f"cdn.shop.example:{shop.port}", f"eu.pictures.example:{shop.port}"}
    assert ("/a.jpg?size=1%202") in {path for _, path in shop.server.asked}
    again = shop.take()
    assert (again.rows, len(shop.server.asked)) == (0, 3)


def test_without_listed_hosts_nobody_is_asked(shop: Shop):
    shop.sell(shop.url("a.jpg"))
    report = fetch_media(shop.store, shop.media, [], rejects=shop.rejects)
    assert (report.rows, report.skipped, shop.server.asked) == (0, {"host not listed": 1}, [])


def test_what_was_fetched_before_is_not_fetched_again(shop: Shop):
    shop.sell(shop.url("a.jpg"), shop.url("b.jpg"))
    shop.take()
    asked = len(shop.server.asked)
    shop.sell(shop.url("b.jpg"), shop.url("c.jpg"))
    assert shop.take().added == 2
    assert len(shop.server.asked) == asked + 1


def test_redirects_are_followed_a_little_and_judged_each(shop: Shop):
    here = {"fine": "hop/3", "far": "hop/4", "round": "round"}
    shop.sell(*(shop.url(path) for path in here.values()), shop.url("to/elsewhere.example"), shop.url("to/private.pictures.example"), shop.url(f"to/{LOOPBACK}"), shop.url("to/eu.pictures.example"))  # fmt: skip
    shop.take()
    assert shop.refused() == {
        "hop/4": "too many redirects",
        "round": "too many redirects",
        "to/elsewhere.example": "host not listed",
        "to/private.pictures.example": "not a public address",
        f"to/{LOOPBACK}": "host not listed",
    }
    assert (shop.media / shop.item().images[0]).read_bytes() == photo()
    assert (shop.media / shop.item().images[-1]).read_bytes() == photo()


def test_one_private_address_among_several_spoils_them_and_names_are_resolved_once_a_request(shop: Shop):
    shop.sell(
        shop.url("a.jpg"), shop.url("a.jpg", "mixed.pictures.example"), shop.url("a.jpg", "private.pictures.example")
    )
    assert shop.take().reasons == {"not a public address": 2}
    assert shop.resolved == {"cdn.shop.example": 1, "mixed.pictures.example": 1, "private.pictures.example": 1}
    assert len(shop.server.asked) == 1


def test_the_machine_itself_is_not_asked_by_the_usual_rules(shop: Shop):
    shop.sell(shop.url("a.jpg"))
    assert shop.take(public=is_public).reasons == {"not a public address": 1}
    shop.hosts = [f"localhost:{shop.port}"]
    shop.sell(shop.url("a.jpg", "localhost"))
    assert shop.take(public=is_public, resolve=system_resolve).reasons == {"not a public address": 1}
    assert shop.server.asked == []


def test_bad_answers_are_refused_and_leave_no_files(shop: Shop):
    bad = {
        "status/404": "answered 404", "page.jpg": "not a picture inside", "video.mp4": "not a picture inside", "short.jpg": "cut short",
        "large.jpg": "file too large", "endless.jpg": "file too large", "slow.jpg": "too slow", "status/204": "answered 204",
    }  # fmt: skip
    shop.sell(*map(shop.url, bad), videos=(shop.url("photo.jpg"),))
    report = shop.take()
    assert shop.refused() == bad | {"photo.jpg": "not a video inside"}
    assert report.added == 0
    assert shop.item().images == tuple(map(shop.url, bad))
    assert shop.files() == []


@pytest.mark.parametrize("path", ["drip", "rubbish", "status/503", "status/429"])
def test_a_server_that_does_not_answer_properly_is_given_up_in_time(shop: Shop, path: str):
    patience = Patience(total=0.5, idle=0.3)
    chunks = download(
        shop.url(path), Hosts(shop.hosts), 1000, patience=patience, resolve=shop.resolve, public=shop.public
    )
    with pytest.raises(NoAnswerError):
        list(chunks)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of cdn.shop.example that it signed itself, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    file = tmp_path / "certificate.pem"
    name = "cdn.shop.example"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    command += [
        "-subj",
        f"/CN={name}",
        "-addext",
        f"subjectAltName=DNS:{name}",
        "-keyout",
        str(file),
        "-out",
        str(tmp_path / "x"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + (tmp_path / "x").read_bytes())
    return file


@pytest.mark.parametrize("trusted", [True, False])
def test_over_tls_the_name_is_asked_for_and_its_certificate_is_checked(
    shop: Shop, certificate: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    shop.server.socket = context.wrap_socket(shop.server.socket, server_side=True)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    downloading._tls.cache_clear()
    try:
        shop.sell(
            *(
                shop.url("a.jpg", host).replace("http:", "https:")
                for host in ("cdn.shop.example", "eu.pictures.example")
            )
        )
        report = shop.take()
    finally:
        downloading._tls.cache_clear()
    assert set(names) == {"cdn.shop.example", "eu.pictures.example"}
    assert report.reasons == {"certificate refused": 1 if trusted else 2}
    assert [path for _, path in shop.server.asked] == (["/a.jpg"] if trusted else [])


def test_a_host_that_keeps_silent_is_left_alone(shop: Shop):
    shop.sell(*(shop.url(f"status/503?{number}") for number in range(20)), shop.url("a.jpg", "eu.pictures.example"))
    report = shop.take()
    assert set(report.reasons) == {"no answer", "host given up"}
    assert report.reasons["no answer"] <= 6
    assert report.added == 1


def test_few_are_fetched_at_once_from_one_host(shop: Shop):
    shop.sell(*(shop.url(f"{number}.jpg") for number in range(30)))
    assert shop.take().added == 30
    assert shop.server.most_at_once <= 2


def test_strict_changes_no_item_when_an_address_fails_and_goes_on_from_there(shop: Shop):
    shop.sell(shop.url("a.jpg"), shop.url("status/404"))
    with pytest.raises(StrictImportError):
        shop.take(strict=True)
    assert shop.item().images == (shop.url("a.jpg"), shop.url("status/404"))
    shop.sell(shop.url("a.jpg"))
    assert shop.take(strict=True).added == 1
    assert [path for _, path in shop.server.asked].count("/a.jpg") == 1


def test_progress_tells_how_far_it_is(shop: Shop):
    shop.sell(*(shop.url(f"{number}.jpg") for number in range(5)))
    seen: list[tuple[int, int | None]] = []
    with progress.listening(lambda span: seen.append((span.done, span.total))):
        shop.take()
    assert seen[-1] == (5, 5)


@pytest.mark.parametrize(
    ("host", "port", "scheme", "fine"),
    [
        ("cdn.example.com", 443, "https", True),
        ("cdn.example.com", 80, "http", True),
        ("cdn.example.com", 443, "http", False),
        ("cdn.example.com", 8443, "https", False),
        ("a.b.example.org", 443, "https", True),
        ("example.org", 443, "https", False),
        ("notexample.org", 443, "https", False),
        ("odd.example.net", 8080, "http", True),
        ("odd.example.net", 80, "http", False),
        ("xn--bcher-kva.example.com", 443, "https", True),
    ],
)
def test_hosts_are_listed_by_name_star_and_port(host: str, port: int, scheme: str, fine: bool):
    hosts = Hosts(["cdn.example.com", " *.Example.org ", "odd.example.net:8080", "bücher.example.com", ""])
    assert hosts.allow(host, port, scheme) is fine


@pytest.mark.parametrize(
    "entry", ["*", "*.com", "https://a.example", "a.example/x", "a b", "a..b", "*.*.example", "a.example:x"]
)
def test_a_host_written_wrongly_says_what_is_meant(entry: str):
    with pytest.raises(InputError, match=r"fetch\.hosts"):
        Hosts([entry])


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/x", "file:///etc/passwd", "http://", "http://[", "http://user:word@a.example/", "http://a.example:99999/", "http://a.example:0/", "//a.example/x", "http://a.example\\@b.example/"],
)  # fmt: skip
def test_addresses_that_make_no_sense_are_refused(url: str):
    with pytest.raises(Reject):
        parse(url)


@given(path=st.text(max_size=40), query=st.text(max_size=20))
def test_whatever_an_address_says_the_request_has_one_line(path: str, query: str):
    try:
        target = parse(f"https://a.example/{path}?{query}")
    except (Reject, UnicodeEncodeError):
        return
    assert target.host == "a.example"
    assert target.path.isascii()
    assert target.path.isprintable()
    assert " " not in target.path


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1",
     "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "::ffff:8.8.8.8", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "word", ""],
)  # fmt: skip
def test_addresses_within_networks_are_not_public(address: str):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111"])
def test_addresses_of_the_internet_are_public(address: str):
    assert is_public(address)
