"""Alerts reach people: over real HTTP and SMTP on this machine, signed, again after failures, and never into headers."""

import base64
import hashlib
import hmac
import io
import json
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email import message_from_string, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from shopkeeper.errors import NotFoundError, SettingsError
from shopkeeper.settings import ListenSettings
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.documents import Document
from shopkeeper.tasks.listen.alerts import Alert
from shopkeeper.tasks.listen.counts import Series
from shopkeeper.tasks.listen.messages import Notice, mail_of, printable
from shopkeeper.tasks.listen.notice import Console, Mail, UndeliveredError, Webhook, channels_of
from shopkeeper.tasks.listen.outbox import ATTEMPTS, Outbox, retry
from shopkeeper.tasks.listen.steps import Step, escalated, steps_of, with_steps

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EVIL = "Sale\r\nBcc: everybody@example.com\r\n\r\n<script>\x1b[31m包裹"


def alert(name: str = "a1", text: str = "More complaints") -> Alert:
    return Alert(
        id=name, raised=NOW, start=NOW, end=NOW, series=(Series("topic", "late", negative=True),), detector="1 h", posts=40,
        weighed=38.5, expected=5.0, score=30.0, negative=1.0, authors=30, risk="delivery", severity=0.6, evidence=("p1",),
        headline={"en": text, "zh": "投诉增多"}, summary={"en": "It is late.", "zh": "晚了。"},
    )  # fmt: skip


class Receiver:
    """A webhook's receiver: answers with `answers` in turn, then 204."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.taken: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.taken.append(({key.lower(): value for key, value in self.headers.items()}, body))
                status = outer.answers.pop(0) if outer.answers else 204
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/alerts"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


class Post(socketserver.StreamRequestHandler):
    """Enough of SMTP to take a mail."""

    def handle(self) -> None:
        self.wfile.write(b"220 toy\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go\r\n")
                lines = []
                while (row := self.rfile.readline()) != b".\r\n":
                    lines.append(row)
                self.server.mails.append(b"".join(lines).decode())
                self.wfile.write(b"250 taken\r\n")
            elif verb == b"RCPT" and b"nobody@" in line:
                self.wfile.write(b"550 no\r\n")
            elif verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def post() -> Iterator[socketserver.ThreadingTCPServer]:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Post)
    server.daemon_threads = True
    server.mails = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as opened:
        yield opened


def waiting(store: SqlStore, *channels: str, name: str = "a1") -> None:
    store.alerts.put([with_steps(Document(name, NOW, alert(name).body()), escalated((), 0.35, NOW, channels))])


def graver(store: SqlStore, severity: float, *channels: str, name: str = "a1") -> None:
    """The alert is to be told once more."""
    store.alerts.amend(name, lambda row: with_steps(row, escalated(steps_of(row), severity, NOW, channels)))


def state(store: SqlStore, channel: str = "webhook", name: str = "a1", place: int = 0) -> Mapping[str, object]:
    return steps_of(store.alerts.get([name])[name])[place].delivered[channel]


@pytest.mark.parametrize("key", ["plain secret", "whsec_" + base64.b64encode(b"sixteen bytes or").decode()])
def test_the_receiver_can_tell_who_sent_it(receiver: Receiver, key: str):
    Webhook(receiver.url, key, private=True).send(Notice(alert()))
    headers, body = receiver.taken[0]
    told = {"id": "a1", **alert().body(), "level": "high", "step": 0, "before": ""}
    assert json.loads(body) == {"type": "opinion.alert", "data": told}
    secret = base64.b64decode(key[6:]) if key.startswith("whsec_") else key.encode()
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == "a1"


def test_private_addresses_are_refused_unless_allowed(receiver: Receiver):
    with pytest.raises(UndeliveredError, match="not a public address"):
        Webhook(receiver.url.replace("http:", "https:")).send(Notice(alert()))
    with pytest.raises(UndeliveredError, match="not a public address"):
        Webhook("https://inside.example", resolve=lambda host, port: ["93.184.216.34", "10.0.0.7"]).send(
            Notice(alert())
        )
    assert not receiver.taken


@pytest.mark.parametrize("status", [302, 400, 500])
def test_only_2xx_counts_and_redirects_are_not_followed(receiver: Receiver, status: int):
    receiver.answers = [status]
    with pytest.raises(UndeliveredError, match=str(status)):
        Webhook(receiver.url, private=True).send(Notice(alert()))
    assert len(receiver.taken) == 1


@pytest.mark.parametrize(
    "url",
    ["", "ftp://x", "https://user:pw@x", "https://", "http://[::1", "https://x:99999", "http://example.com/alerts"],
)
def test_an_address_that_makes_no_sense(url: str):
    with pytest.raises(SettingsError):
        Webhook(url)


def test_a_webhook_that_is_down_loses_nothing(receiver: Receiver, store: SqlStore):
    waiting(store, "webhook", "email")
    receiver.answers = [500, 503]
    outbox = Outbox(store, [Webhook(receiver.url, private=True)], seed=1)
    assert outbox.deliver(NOW) == 0
    first = state(store)
    assert first["attempts"] == 1
    assert "500" in str(first["error"])
    assert outbox.deliver(NOW + timedelta(seconds=1)) == 0, "not due yet"
    assert len(receiver.taken) == 1
    assert outbox.deliver(NOW + timedelta(seconds=10)) == 0
    assert (
        NOW + timedelta(seconds=20) <= datetime.fromisoformat(str(state(store)["next"])) <= NOW + timedelta(seconds=30)
    )
    assert Outbox(store, [Webhook(receiver.url, private=True)]).deliver(NOW + timedelta(minutes=1)) == 1
    assert state(store)["state"] == "done"
    assert state(store, "email") == {"state": "waiting"}, "another channel's turn is left alone"
    assert {headers["webhook-id"] for headers, _ in receiver.taken} == {"a1"}
    assert outbox.deliver(NOW + timedelta(days=1)) == 0
    assert len(receiver.taken) == 3


def test_what_is_given_up_is_kept_and_can_be_tried_again(store: SqlStore, receiver: Receiver):
    waiting(store, "webhook")
    url = receiver.url
    receiver.answers = [500] * ATTEMPTS
    outbox = Outbox(store, [Webhook(url, private=True)], seed=2)
    for hour in range(ATTEMPTS + 5):
        outbox.deliver(NOW + timedelta(hours=2 * hour))
    assert state(store)["state"] == "dead"
    assert state(store)["attempts"] == ATTEMPTS
    assert not list(store.alerts.open())
    assert retry(store, "a1") == 1
    assert outbox.deliver(NOW) == 1
    assert retry(store, "a1") == 0
    with pytest.raises(NotFoundError):
        retry(store, "nothing")


def ids(receiver: Receiver) -> list[str]:
    return [headers["webhook-id"] for headers, _ in receiver.taken]


def data(receiver: Receiver) -> list[tuple[object, ...]]:
    return [tuple(json.loads(body)["data"][key] for key in ("step", "level", "before")) for _, body in receiver.taken]


def test_each_step_is_told_once_and_in_order(store: SqlStore, receiver: Receiver):
    waiting(store, "webhook", "email")
    graver(store, 0.7, "webhook", "email")
    outbox = Outbox(store, [Webhook(receiver.url, private=True)])
    assert outbox.deliver(NOW) == 2
    assert ids(receiver) == ["a1", "a1-1"]
    assert data(receiver) == [(0, "medium", ""), (1, "high", "medium")]
    assert outbox.deliver(NOW + timedelta(days=1)) == 0
    graver(store, 0.9, "webhook", "email")
    assert outbox.deliver(NOW + timedelta(days=2)) == 0, "no higher level"
    assert state(store, "email", place=1) == {"state": "waiting"}


def test_a_later_step_waits_for_the_one_before(store: SqlStore, receiver: Receiver):
    waiting(store, "webhook")
    receiver.answers = [500]
    outbox = Outbox(store, [Webhook(receiver.url, private=True)], seed=1)
    assert outbox.deliver(NOW) == 0
    graver(store, 0.7, "webhook")
    assert outbox.deliver(NOW + timedelta(seconds=1)) == 0
    assert ids(receiver) == ["a1"]
    assert outbox.deliver(NOW + timedelta(minutes=1)) == 2
    assert ids(receiver) == ["a1", "a1", "a1-1"]
    assert not list(store.alerts.open())


def test_a_step_that_is_given_up_holds_nothing_up(store: SqlStore, receiver: Receiver):
    waiting(store, "webhook")
    receiver.answers = [500] * ATTEMPTS
    outbox = Outbox(store, [Webhook(receiver.url, private=True)], seed=2)
    for hour in range(ATTEMPTS):
        outbox.deliver(NOW + timedelta(hours=2 * hour))
    graver(store, 0.7, "webhook")
    assert outbox.deliver(NOW + timedelta(days=9)) == 1
    assert retry(store, "a1") == 1
    assert outbox.deliver(NOW + timedelta(days=9)) == 1
    assert ids(receiver)[-2:] == ["a1-1", "a1"]


def test_rows_of_older_versions_are_one_step(store: SqlStore, receiver: Receiver):
    body = {**alert().body(), "delivered": {"webhook": {"state": "waiting"}}}
    store.alerts.put([Document("a1", NOW, body, open=True)])
    assert Outbox(store, [Webhook(receiver.url, private=True)]).deliver(NOW) == 1
    row = store.alerts.get(["a1"])["a1"]
    assert steps_of(row)[0].delivered["webhook"]["state"] == "done"
    assert "delivered" not in row.body
    assert not row.open


KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[3:]
from test_listen_notice import NOW, Webhook, Outbox, open_store
class Cut(Webhook):
    def send(self, notice):
        super().send(notice)
        if notice.place:
            os.kill(os.getpid(), signal.SIGKILL)
Outbox(open_store(sys.argv[1]), [Cut(sys.argv[2], private=True)]).deliver(NOW)
"""


def test_kill_9_between_sending_and_noting_sends_the_same_id_again(store: SqlStore, receiver: Receiver, tmp_path: Path):
    waiting(store, "webhook")
    graver(store, 0.7, "webhook")
    here = Path(__file__).parent
    arguments = [f"sqlite:///{tmp_path / 'shop.db'}", receiver.url, str(here), str(here.parent)]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert done.returncode == -signal.SIGKILL
    assert Outbox(store, [Webhook(receiver.url, private=True)]).deliver(NOW) == 1
    assert ids(receiver) == ["a1", "a1-1", "a1-1"], "told before, told but not noted, the same once more"
    assert len(set(ids(receiver))) == 2
    assert not list(store.alerts.open())


def test_two_stores_that_change_a_row_lose_nothing_of_each_other(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    with open_store(url) as one, open_store(url) as other:
        waiting(one, *(f"c{number}" for number in range(40)))
        writers = [
            threading.Thread(target=note, args=(store, f"c{number}")) for number, store in enumerate([one, other] * 20)
        ]
        for thread in writers:
            thread.start()
        for thread in writers:
            thread.join()
        (step,) = steps_of(one.alerts.get(["a1"])["a1"])
        assert {entry["state"] for entry in step.delivered.values()} == {"done"}


def note(store: SqlStore, channel: str) -> None:
    store.alerts.amend("a1", lambda row: with_steps(row, [steps_of(row)[0].told(channel, {"state": "done"})]))


def test_a_clock_that_went_back_holds_nothing_up(store: SqlStore, receiver: Receiver):
    waiting(store, "webhook")
    receiver.answers = [500]
    outbox = Outbox(store, [Webhook(receiver.url, private=True)])
    outbox.deliver(NOW + timedelta(days=30))
    assert outbox.deliver(NOW) == 1


def test_it_delivers_by_itself(store: SqlStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shopkeeper.tasks.listen.outbox._POLL", 0.01)
    outbox = Outbox(store, [Webhook(receiver.url, private=True)])
    outbox.start()
    waiting(store, "webhook")
    for _ in range(500):
        if state(store)["state"] == "done":
            break
        threading.Event().wait(0.01)
    outbox.close()
    assert state(store)["state"] == "done"


def test_a_channel_that_breaks_does_not_end_delivery(
    store: SqlStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    class Broken:
        name = "broken"
        calls = 0

        def send(self, _: Notice) -> None:
            self.calls += 1
            raise RuntimeError("no such luck")

    monkeypatch.setattr("shopkeeper.tasks.listen.outbox._POLL", 0.01)
    broken = Broken()
    outbox = Outbox(store, [Webhook(receiver.url, private=True), broken])
    outbox.start()
    waiting(store, "webhook", "broken")
    for _ in range(500):
        if broken.calls and state(store)["state"] == "done":
            break
        threading.Event().wait(0.01)
    assert outbox._thread.is_alive()
    outbox.close()
    assert broken.calls == 1
    assert state(store, "broken")["error"] == "no such luck"
    assert state(store)["state"] == "done"


def test_a_mail_in_both_languages(post: socketserver.ThreadingTCPServer):
    Mail(f"smtp://127.0.0.1:{post.server_address[1]}", ["ops@example.com", " boss@example.com"]).send(Notice(alert()))
    message = message_from_string(post.mails[0], policy=policy.default)
    assert message["To"] == "ops@example.com, boss@example.com"
    assert message["Subject"] == "[high] More complaints"
    assert "投诉增多" in message.get_content()
    assert "a1" in message["Message-ID"]


def test_a_later_mail_answers_the_first_and_says_what_changed():
    steps = (Step(NOW, 0.35), Step(NOW, 0.7))
    message = mail_of(Notice(alert(), 1, steps), "shop@example.com", ["ops@example.com"])
    assert message["Subject"] == "[high, was medium] More complaints"
    assert message["Message-ID"] == "<a1-1@example.com>"
    assert message["In-Reply-To"] == "<a1@example.com>"
    assert "[严重，原为值得关注] 投诉增多" in message.get_content()
    out = io.StringIO()
    Console(out, "zh").send(Notice(alert(), 1, steps))
    assert out.getvalue().startswith("[严重，原为值得关注] 投诉增多\n")


def test_what_posts_say_stays_out_of_headers_and_terminals():
    message = mail_of(Notice(alert(text=EVIL)), "shop@example.com", ["ops@example.com"])
    assert message["Bcc"] is None
    assert message.as_string().count("Subject:") == 1
    out = io.StringIO()
    Console(out).send(Notice(alert(text=EVIL)))
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().count("\n") == 2
    assert printable(EVIL) == "Sale Bcc: everybody@example.com <script> [31m包裹"


def test_a_mail_that_does_not_arrive(post: socketserver.ThreadingTCPServer):
    port = post.server_address[1]
    with pytest.raises(UndeliveredError):
        Mail(f"smtp://127.0.0.1:{port}", ["nobody@example.com"]).send(Notice(alert()))
    with pytest.raises(UndeliveredError):
        Mail(f"smtps://127.0.0.1:{port}", ["ops@example.com"]).send(Notice(alert()))
    with pytest.raises(UndeliveredError):
        Mail("smtp://127.0.0.1:1", ["ops@example.com"]).send(Notice(alert()))


@pytest.mark.parametrize(
    ("server", "to"),
    [("http://x", ["a@b.c"]), ("smtp://x", []), ("smtp://x", ["no address"]), ("smtp://x", ["a@b.c\r\nBcc: d@e.f"]), ("smtp://x:0x", ["a@b.c"])],
)  # fmt: skip
def test_a_mail_server_or_address_that_makes_no_sense(server: str, to: list[str]):
    with pytest.raises(SettingsError):
        Mail(server, to)


def test_channels_are_those_of_the_settings():
    assert channels_of(ListenSettings()) == []
    given = ListenSettings(webhook="https://x.example/a", email="a@b.example", smtp="smtp://x.example")
    assert [channel.name for channel in channels_of(given, console=io.StringIO)] == ["webhook", "email", "console"]
