"""The error tree. Every error says what was wrong, where, and what to do about it.

ShopkeeperError
├── SettingsError      a setting is missing, misspelt or of the wrong type
├── InputError         a request, a file or a value from outside is not acceptable
│   ├── NotFoundError  it names something that does not exist
│   └── ForbiddenError the caller may not do that
├── StoreError         the database cannot be opened, read or written
├── ModelError         weights, a bundle or a tokenizer cannot be loaded or used
│   └── ExtraMissingError  an optional dependency is not installed
└── TrainingError      training cannot start or go on
"""

from __future__ import annotations


class ShopkeeperError(Exception):
    """Base of all errors raised on purpose.

    Args:
        what: What was wrong, in one sentence.
        where: The place: a file with row and column, a setting's name, a request field.
        cure: What the reader can do about it.
    """

    def __init__(self, what: str, *, where: str = "", cure: str = "") -> None:
        self.what = what
        self.where = where
        self.cure = cure
        super().__init__(" ".join(part for part in (f"{where}:" if where else "", what, cure) if part))


class SettingsError(ShopkeeperError):
    """A setting is missing, misspelt or has a value of the wrong type."""


class InputError(ShopkeeperError):
    """A request, a file or a value from outside is not acceptable."""


class NotFoundError(InputError):
    """The input names something that does not exist."""


class ForbiddenError(InputError):
    """The caller is not allowed to do this."""


class StoreError(ShopkeeperError):
    """The database cannot be opened, read or written."""


class ModelError(ShopkeeperError):
    """Weights, a bundle or a tokenizer cannot be loaded or used."""


class ExtraMissingError(ModelError):
    """An optional dependency is needed and not installed."""


class TrainingError(ShopkeeperError):
    """Training cannot start or cannot go on."""
