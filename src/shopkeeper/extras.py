"""Optional dependencies: quiet until used, then exact about what to install."""

from __future__ import annotations

import importlib
from types import ModuleType

from shopkeeper.errors import ExtraMissingError


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, or say which extra brings it.

    Raises:
        ExtraMissingError: The module is not installed; the message holds the exact install line.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ExtraMissingError(
            f"{module} is not installed ({error}).", cure=f"Install it with: pip install 'shopkeeper[{extra}]'"
        ) from error
