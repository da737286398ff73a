"""A causal language model of PyTorch, run in this process: smollm2, a folder, a Hugging Face id, or what the shop learnt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from shopkeeper.compute.device import pick_device
from shopkeeper.errors import ModelError
from shopkeeper.models.backbone import FILE, Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.generate.generator import Message
from shopkeeper.models.hub import from_hub, quiet
from shopkeeper.settings import Settings

Step = Callable[[Tensor, Any], tuple[Tensor, Any]]
"""Token numbers int64 (1, t) and the cache of those before -> logits float (v,) of the next token, and the new cache."""

_OPEN, _CLOSE = "<|im_start|>", "<|im_end|>"


class Speaker:
    """Says the likeliest token, one after the other (greedy), and looks at the clock before each.

    One text at a time: a second one waits for the first, and its waiting counts.

    Args:
        name: For logs and replies.
        tokenizer: A transformers tokenizer; its chat template is used where it has one.
        step: The model.
        device: Where token numbers go.
        context: Tokens of a chat with its answer at most.
    """

    def __init__(self, name: str, tokenizer: Any, step: Step, device: torch.device, context: int) -> None:
        self._name, self._tokenizer, self._step = name, tokenizer, step
        self._device, self._context = device, context
        self._busy = threading.Lock()
        self._ends = ends_of(tokenizer)

    @classmethod
    def open(cls, name: str, settings: Settings) -> Speaker:
        """Load ``smollm2``, a model folder or a Hugging Face id.

        Raises:
            ModelError: There is no such model here, or it is not a causal one.
        """
        folder = Path(name).expanduser()
        if name == "smollm2" or (folder / FILE).is_file():
            return cls.of_backbone(load_backbone(name, settings), settings)
        if folder.is_dir():
            return cls._of_folder(folder, folder.name, settings)
        return from_hub(name, settings, lambda found: cls._of_folder(found, name, settings))

    @classmethod
    def of_bundle(cls, bundle: Bundle, settings: Settings) -> Speaker:
        """Serve what `recipes.language.dialogue` learnt, its adapter folded in."""
        from shopkeeper.models.adapters import foldable, merge

        backbone = bundle.backbone(settings)
        if foldable(backbone):
            merge(backbone)
        return cls.of_backbone(backbone, settings, name=bundle.name)

    @classmethod
    def of_backbone(cls, backbone: Backbone, settings: Settings, *, name: str = "") -> Speaker:
        """A body without a head of its own, whose words are its input embeddings.

        Raises:
            ModelError: It sees the words to come, or it had a head that it lost.
        """
        body = backbone.model
        if not backbone.causal or not getattr(body.config, "tie_word_embeddings", True):
            raise ModelError(
                f"{backbone.name} cannot speak: it is no causal model with tied embeddings.",
                where="generate.model",
                cure="Use smollm2, or the folder of a causal model with its head.",
            )
        device = pick_device(settings.compute)
        body.to(device).eval()

        def step(ids: Tensor, past: Any) -> tuple[Tensor, Any]:
            found = body(input_ids=ids, past_key_values=past, use_cache=True)
            words = body.get_input_embeddings().weight
            return functional.linear(found.last_hidden_state[0, -1], words), found.past_key_values

        return cls(name or backbone.name, backbone.tokenizer, step, device, _positions(body))

    @classmethod
    def _of_folder(cls, folder: Path, name: str, settings: Settings) -> Speaker:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            with quiet():
                loaded: Any = AutoModelForCausalLM.from_pretrained(
                    folder, local_files_only=True, use_safetensors=True, dtype="auto", output_loading_info=True
                )
                tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:
            raise ModelError(
                f"The model cannot be loaded: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
                where=str(folder),
                cure="It must hold config.json, safetensors weights and a tokenizer of a causal model.",
            ) from error
        model, about = loaded
        if about["missing_keys"]:
            raise ModelError(
                f"The model lacks weights, such as {sorted(about['missing_keys'])[0]}.",
                where=str(folder),
                cure="Give the folder of a whole causal model.",
            )
        device = pick_device(settings.compute)
        model.to(device).eval()

        def step(ids: Tensor, past: Any) -> tuple[Tensor, Any]:
            found = model(input_ids=ids, past_key_values=past, use_cache=True)
            return found.logits[0, -1], found.past_key_values

        return cls(name, tokenizer, step, device, _positions(model))

    @property
    def name(self) -> str:
        """Name of the model or the bundle."""
        return self._name

    def stream(self, messages: Sequence[Message], *, most: int, seconds: float) -> Iterator[str]:
        """As `Generator.stream`."""
        deadline = time.monotonic() + seconds
        if not self._busy.acquire(timeout=seconds):
            raise self._late()
        try:
            said = ""
            for tokens in self._tokens(messages, most, deadline):
                text = self._tokenizer.decode(tokens, skip_special_tokens=True)
                if len(text) > len(said) and not text.endswith("\ufffd"):  # not in the middle of a character
                    yield text[len(said) :]
                    said = text
        finally:
            self._busy.release()
        if not said.strip():
            raise ModelError("The model said nothing.", where=self._name, cure="Ask another way, or use another model.")

    def _tokens(self, messages: Sequence[Message], most: int, deadline: float) -> Iterator[list[int]]:
        asked = chat_tokens(self._tokenizer, messages)
        if len(asked) + most > self._context:
            raise ModelError(
                f"A chat of {len(asked)} tokens and an answer of {most} are too long for {self._context}.",
                where=self._name,
                cure="Send fewer turns or less evidence.",
            )
        ids, past, tokens = torch.tensor([asked], device=self._device), None, list[int]()
        while len(tokens) < most:
            if time.monotonic() > deadline:
                raise self._late()
            with torch.inference_mode():
                logits, past = self._step(ids, past)
            token = int(logits.argmax())
            if token in self._ends:
                return
            tokens.append(token)
            ids = torch.tensor([[token]], device=self._device)
            yield tokens

    def _late(self) -> ModelError:
        return ModelError(
            "The model did not finish in time.",
            where=self._name,
            cure="Raise generate.seconds, or ask for fewer tokens.",
        )


def chat_tokens(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Token numbers of a chat up to where the assistant begins to speak."""
    if getattr(tokenizer, "chat_template", None):
        chat = [{"role": message.role, "content": message.content} for message in messages]
        return list(tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False))
    text = "".join(f"{_OPEN}{message.role}\n{message.content}{_CLOSE}\n" for message in messages)
    return list(tokenizer(f"{text}{_OPEN}assistant\n", add_special_tokens=False).input_ids)


def ends_of(tokenizer: Any) -> frozenset[int]:
    """Token numbers that end a turn."""
    vocabulary = tokenizer.get_vocab()
    named = (vocabulary.get(word) for word in (_CLOSE, "<|eot_id|>", "<|end|>", "<end_of_turn>"))
    return frozenset(token for token in (tokenizer.eos_token_id, *named) if token is not None)


def _positions(model: Any) -> int:
    limit = getattr(model.config, "max_position_embeddings", None)
    return limit if isinstance(limit, int) else 2048
