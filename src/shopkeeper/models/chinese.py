"""The dictionary that cuts Chinese into words, loaded once for everybody."""

from __future__ import annotations

import logging
import threading
import warnings
from functools import cache
from typing import Any

_loading = threading.Lock()


def dictionary() -> Any:
    """A jieba tokenizer; it is loaded by the first caller, in about a second, and shared between threads."""
    with _loading:
        return _dictionary()


@cache
def _dictionary() -> Any:
    with warnings.catch_warnings():  # its source predates raw strings, and it asks for pkg_resources
        warnings.simplefilter("ignore")
        import jieba

    jieba.setLogLevel(logging.WARNING)
    cutter = jieba.Tokenizer()
    # unlike its own initialize(), this leaves and reads no cache in a folder that others can write to
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True
    return cutter
