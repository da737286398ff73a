"""Which pretrained encoder a shop starts from. Needs no PyTorch, so that a server can ask as well."""

from __future__ import annotations

from collections.abc import Iterable

from shopkeeper.settings import ModelSettings


def encoder_name(settings: ModelSettings, languages: Iterable[str]) -> str:
    """The encoder that the settings name, or for ``auto`` the one that suits the texts' languages.

    Args:
        settings: See `settings.ModelSettings.encoder`.
        languages: Codes such as ``en`` or ``zh-CN``, one a text; unknown ones (empty or ``und``) do not decide.

    Returns:
        For ``auto``: ``minilm`` when all known ones are English, else ``e5-small``.
    """
    if settings.encoder not in ("", "auto"):
        return settings.encoder
    known = {language.lower().partition("-")[0] for language in languages}
    return "minilm" if known <= {"en", "", "und"} else "e5-small"
