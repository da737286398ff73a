"""Language models that may phrase a text: one protocol, whatever is behind it, and a breaker that spares what is down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shopkeeper.errors import ModelError
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.registry import Registry
from shopkeeper.settings import Settings

__all__ = ["Breaker", "Generator", "Message", "open_generator"]

TASK = "dialogue"
"""The bundle that `recipes.language.dialogue` learns, and its name in `generate.model`."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat: role ``system``, ``user`` or ``assistant``, and what was said."""

    role: str
    content: str


class Generator(Protocol):
    """Continues a chat, piece by piece."""

    @property
    def name(self) -> str:
        """Which model, for logs and replies."""
        ...

    def stream(self, messages: Sequence[Message], *, most: int, seconds: float) -> Iterator[str]:
        """The next turn of the assistant, in pieces that are not empty; leaving the iterator stops the model.

        Args:
            messages: The chat so far, oldest first.
            most: Tokens at most.
            seconds: Time for the whole text.

        Raises:
            ModelError: The model cannot be asked, breaks off, or time is up; pieces given before are no whole text.
        """
        ...


class Breaker:
    """A generator that is left alone for a while after it failed several times in a row.

    Closed, it passes everything on. After `failures` failures in a row it opens: for `rest` seconds it refuses at once.
    Then one text is tried; if that works out it closes again, else it rests once more. Safe between threads.

    Args:
        generator: What is spared.
        failures: Failures in a row that open it.
        rest: Seconds of rest.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        generator: Generator,
        *,
        failures: int = 3,
        rest: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._generator = generator
        self._most, self._rest, self._clock = failures, rest, clock
        self._lock = threading.Lock()
        self._failed = 0
        self._until = 0.0
        self._trying = False

    @property
    def name(self) -> str:
        """Of what is spared."""
        return self._generator.name

    @property
    def open(self) -> bool:
        """Whether a text would be refused now."""
        with self._lock:
            return self._refuses()

    def stream(self, messages: Sequence[Message], *, most: int, seconds: float) -> Iterator[str]:
        """As `Generator.stream`.

        Raises:
            ModelError: It failed, or it rests.
        """
        with self._lock:
            if self._refuses():
                raise ModelError(
                    f"The language model failed {self._failed} times in a row and is left alone for now.",
                    where=self.name,
                    cure=f"It is tried again within {self._rest:.0f} seconds; see the log for what went wrong.",
                )
            trial = self._failed >= self._most
            self._trying = self._trying or trial
        try:
            yield from self._generator.stream(messages, most=most, seconds=seconds)
        except Exception:
            with self._lock:
                self._failed += 1
                self._until = self._clock() + self._rest
            raise
        else:
            with self._lock:
                self._failed = 0
        finally:
            if trial:
                with self._lock:
                    self._trying = False

    def _refuses(self) -> bool:
        return self._failed >= self._most and (self._trying or self._clock() < self._until)


def open_generator(settings: Settings) -> Generator | None:
    """The model that the settings name, behind a breaker; None where they name none.

    With `generate.url` an OpenAI-compatible endpoint. Else `generate.model` is ``dialogue`` for what the shop learnt, a
    folder with such a bundle, a ``.gguf`` file, ``smollm2``, a model folder or a Hugging Face id.

    Raises:
        ModelError: There is no such model here; an endpoint is first asked when it is first needed.
    """
    wanted = settings.generate
    if not wanted.model:
        return None
    if wanted.url:
        from shopkeeper.models.generate.remote import Endpoint

        return Breaker(Endpoint(wanted.url, wanted.model, wanted.key))
    if wanted.model.lower().endswith(".gguf"):
        from shopkeeper.models.generate.llama import Llama

        return Breaker(Llama(Path(wanted.model).expanduser()))
    from shopkeeper.models.generate.local import Speaker

    bundle = _bundle(settings)
    return Breaker(Speaker.of_bundle(bundle, settings) if bundle else Speaker.open(wanted.model, settings))


def _bundle(settings: Settings) -> Bundle | None:
    model = settings.generate.model
    folder = Path(model).expanduser()
    if (folder / "card.json").is_file():
        return Bundle.open(folder)
    if model != TASK:
        return None
    live = Registry(settings.bundles).live(TASK)
    if live is None:
        raise ModelError(
            "No dialogue model has been learnt and promoted yet.",
            where="generate.model",
            cure="Learn one (docs/generators.md), or name another model.",
        )
    return live
