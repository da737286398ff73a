"""A chat endpoint that speaks OpenAI's protocol: vLLM, Ollama, a llama.cpp server, a cloud."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Final
from urllib.parse import urlsplit

from shopkeeper.errors import ModelError
from shopkeeper.models.generate.generator import Message

_LARGEST: Final = 2_000_000  # bytes of one answer
_CHUNK: Final = 8192
_CURE: Final = "Look at the server behind generate.url, or take generate.url out to do without it."


class Endpoint:
    """Asks ``<url>/chat/completions`` and reads the stream of server-sent events.

    Redirects are not followed, so that the key stays with the host that it was given for. An answer larger than 2 MB is
    broken off.

    Args:
        url: Base of the interface, e.g. ``http://127.0.0.1:8080/v1``.
        model: Name of the model there.
        key: Bearer key, empty for none.

    Raises:
        ModelError: The address is no http or https one.
    """

    def __init__(self, url: str, model: str, key: str = "") -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname or any(ord(letter) < 33 for letter in url):
            raise ModelError(
                f"{url!r} is not an address.", where="generate.url", cure="Give one such as http://127.0.0.1:8080/v1."
            )
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, port
        self._path = f"{parts.path.rstrip('/')}/chat/completions"
        self._model, self._key = model, key

    @property
    def name(self) -> str:
        """The model and the host that runs it."""
        return f"{self._model} at {self._host}"

    def stream(self, messages: Sequence[Message], *, most: int, seconds: float) -> Iterator[str]:
        """As `Generator.stream`."""
        deadline = time.monotonic() + seconds
        said = False
        with closing(self._connection(seconds)) as connection:
            for event in _events(self._answer(connection, messages, most, deadline), self.name):
                piece = _piece(event, self.name)
                if piece:
                    said = True
                    yield piece
        if not said:
            raise ModelError("The endpoint answered without a word.", where=self.name, cure=_CURE)

    def _connection(self, seconds: float) -> http.client.HTTPConnection:
        if self._secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=seconds, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=seconds)

    def _answer(
        self, connection: http.client.HTTPConnection, messages: Sequence[Message], most: int, deadline: float
    ) -> Iterator[bytes]:
        """Lines of the answer, each without its end, read no later than the deadline."""
        try:
            connection.connect()
            connection.sock.settimeout(self._left(deadline))
            connection.request("POST", self._path, self._body(messages, most), self._headers())
            raw = connection.sock  # the answer may take it over
            size, rest = 0, b""
            with closing(connection.getresponse()) as answer:
                if answer.status != http.client.OK:
                    reason = f"{answer.status} {answer.reason}"
                    raise ModelError(f"The endpoint answered {reason}.", where=self.name, cure=_CURE)
                while True:
                    raw.settimeout(self._left(deadline))
                    chunk = answer.read1(_CHUNK)
                    if not chunk:
                        break
                    size += len(chunk)
                    if size > _LARGEST:
                        raise ModelError("The endpoint's answer does not end.", where=self.name, cure=_CURE)
                    *lines, rest = (rest + chunk).split(b"\n")
                    yield from lines
            yield rest
        except TimeoutError as error:
            raise self._late() from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise ModelError(f"The endpoint cannot be asked: {reason}.", where=self.name, cure=_CURE) from error

    def _left(self, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise self._late()
        return left

    def _late(self) -> ModelError:
        return ModelError(
            "The endpoint did not finish in time.",
            where=self.name,
            cure="Raise generate.seconds, or ask for fewer tokens.",
        )

    def _body(self, messages: Sequence[Message], most: int) -> bytes:
        chat = [{"role": message.role, "content": message.content} for message in messages]
        asked = {"model": self._model, "messages": chat, "max_tokens": most, "temperature": 0, "stream": True}
        return json.dumps(asked, ensure_ascii=False).encode("utf-8", "replace")

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
        return headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {})


def _events(lines: Iterator[bytes], name: str) -> Iterator[dict[str, Any]]:
    """JSON of each ``data:`` line up to ``[DONE]``; of the whole body where the server does not stream."""
    plain: list[bytes] = []
    streamed = finished = False
    for line in lines:
        line = line.strip()
        if line.startswith(b"data:"):
            data, streamed = line[5:].strip(), True
            if data == b"[DONE]":
                return
            event = _object(data, name)
            finished = finished or any(choice.get("finish_reason") for choice in _choices(event, name))
            yield event
        elif line and not line.startswith((b":", b"event:", b"id:", b"retry:")):
            plain.append(line)
    if streamed and not finished:
        raise ModelError("The endpoint breaks off.", where=name, cure=_CURE)
    if plain and not streamed:
        yield _object(b"\n".join(plain), name)


def _object(data: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError as error:
        raise ModelError("The endpoint's answer is not JSON.", where=name, cure=_CURE) from error
    if not isinstance(found, dict) or found.get("error"):
        reason = found.get("error") if isinstance(found, dict) else "not an object"
        reason = reason.get("message", reason) if isinstance(reason, dict) else reason
        raise ModelError(f"The endpoint refuses: {str(reason)[:200]}.", where=name, cure=_CURE)
    return found


def _choices(event: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = event.get("choices") or []
    if not isinstance(found, list) or not all(isinstance(choice, dict) for choice in found):
        raise ModelError("The endpoint's answer is not a chat.", where=name, cure=_CURE)
    return found


def _piece(event: dict[str, Any], name: str) -> str:
    for choice in _choices(event, name)[:1]:
        part = choice.get("delta") or choice.get("message") or {}
        content = part.get("content") if isinstance(part, dict) else None
        return content if isinstance(content, str) else ""
    return ""
