"""Model hubs: asked only when allowed, and never in silence."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from shopkeeper.errors import ModelError
from shopkeeper.progress import span
from shopkeeper.settings import Settings

T = TypeVar("T")
_WANTED = ("*.json", "*.safetensors", "*.txt", "*.model")


def from_hub(name: str, settings: Settings, read: Callable[[Path], T]) -> T:
    """Fetch a Hugging Face id into the cache, or find it there, and read its folder.

    Raises:
        ModelError: The id is not in the cache and downloads are off, or the hub cannot be reached or lacks it.
    """
    from huggingface_hub import snapshot_download

    cache = settings.cache / "hub"
    with span(f"Fetching {name}"):
        try:
            folder = snapshot_download(
                name, cache_dir=cache, allow_patterns=list(_WANTED), local_files_only=settings.models.offline
            )
        except Exception as error:
            raise ModelError(*_refusal(name, settings, error), where=name, cure=_cure(settings)) from error
    return read(Path(folder))


def _refusal(name: str, settings: Settings, error: Exception) -> tuple[str]:
    if settings.models.offline:
        return (f"The model {name} is not in {settings.cache / 'hub'}, and downloads are off.",)
    return (f"The model {name} cannot be fetched ({type(error).__name__}).",)


def _cure(settings: Settings) -> str:
    local = "or give a local folder, minilm or e5-small, which need no network."
    if settings.models.offline:
        return f"Set models.offline = false to allow the download, {local}"
    return f"Check the name and the network (HF_ENDPOINT names a mirror, HF_TOKEN opens gated models), {local}"


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' own bars, advice and deprecation notes while it loads or saves."""
    from transformers.utils import logging as theirs

    level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity_error()  # type: ignore[no-untyped-call]
    theirs.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|huggingface_hub)\.")
            warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"(transformers|huggingface_hub)\.")
            yield
    finally:
        theirs.set_verbosity(level)
        if bars:
            theirs.enable_progress_bar()  # type: ignore[no-untyped-call]
