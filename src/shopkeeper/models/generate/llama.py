"""A GGUF file, run in this process by llama.cpp (extra ``local-llm``)."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from shopkeeper.compute.cores import cores
from shopkeeper.errors import ModelError
from shopkeeper.extras import require
from shopkeeper.models.generate.generator import Message

_CONTEXT: Final = 4096  # tokens of a chat and its answer
_OVER: Final = object()


class Llama:
    """A model file that is loaded at once and asked from a thread of its own.

    Args:
        file: The ``.gguf`` file.
        context: Tokens of a chat with its answer at most.

    Raises:
        ExtraMissingError: xllamacpp is not installed.
        ModelError: The file is missing or no model.
    """

    def __init__(self, file: Path, context: int = _CONTEXT) -> None:
        if not file.is_file():
            raise ModelError(
                "There is no such file.", where=str(file), cure="Give the path of a .gguf file in generate.model."
            )
        engine = require("xllamacpp", "local-llm")
        self._file = file
        asked = engine.CommonParams()
        asked.model.path, asked.n_ctx, asked.n_parallel = str(file), context, 1
        asked.cpuparams.n_threads, asked.warmup, asked.verbosity = cores(), False, -1
        try:
            self._server = engine.Server(asked)
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(
                f"The file cannot be loaded: {error}.", where=str(file), cure="Give a whole GGUF model file."
            ) from error

    @property
    def name(self) -> str:
        """Name of the file."""
        return self._file.stem

    def stream(self, messages: Sequence[Message], *, most: int, seconds: float) -> Iterator[str]:
        """As `Generator.stream`."""
        deadline = time.monotonic() + seconds
        pieces: queue.SimpleQueue[Any] = queue.SimpleQueue()
        left = threading.Event()

        def take(event: Any) -> bool:
            pieces.put(event)
            return left.is_set() or time.monotonic() > deadline

        def run() -> None:
            chat = [{"role": message.role, "content": message.content} for message in messages]
            try:
                asked = {"messages": chat, "max_tokens": most, "temperature": 0, "stream": True}
                self._server.handle_chat_completions(asked, take)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told where it is waited for
                pieces.put(error)
            pieces.put(_OVER)

        threading.Thread(target=run, name="llama", daemon=True).start()
        said = False
        try:
            while (event := self._next(pieces, deadline)) is not _OVER:
                piece = self._piece(event)
                said = said or bool(piece)
                if piece:
                    yield piece
        finally:
            left.set()
        if not said:
            raise ModelError("The model said nothing.", where=self.name, cure="Ask for more tokens, or another model.")

    def _next(self, pieces: queue.SimpleQueue[Any], deadline: float) -> Any:
        late = deadline - time.monotonic()
        try:
            if late <= 0:
                raise queue.Empty
            return pieces.get(timeout=late)
        except queue.Empty:
            raise ModelError(
                "The model did not finish in time.",
                where=self.name,
                cure="Raise generate.seconds, or ask for fewer tokens.",
            ) from None

    def _piece(self, event: Any) -> str:
        if isinstance(event, Exception) or not isinstance(event, dict) or "error" in event:
            reason = event.get("error", event) if isinstance(event, dict) else event
            reason = reason.get("message", reason) if isinstance(reason, dict) else reason
            raise ModelError(
                f"The model cannot answer: {str(reason)[:200]}.",
                where=self.name,
                cure="Shorten the chat, or try another file.",
            )
        choices = event.get("choices") or [{}]
        return str((choices[0].get("delta") or {}).get("content") or "")
