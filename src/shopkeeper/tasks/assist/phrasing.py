"""A generator may put an answer into other words: from the evidence only, sentence by sentence, each one checked.

The customer's words go to the generator without personal data and as data, never as instructions. The first sentence that
says something the evidence does not hold ends it, as do a failure and the deadline; the shop's own words then stand.
"""

from __future__ import annotations

import re
from collections.abc import Generator as Pieces
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from shopkeeper.errors import ModelError
from shopkeeper.models.generate.generator import Generator
from shopkeeper.settings import GenerateSettings
from shopkeeper.tasks.assist.prompt import answer_prompt
from shopkeeper.tasks.assist.situation import Draft, Situation
from shopkeeper.trust.grounding import unsupported

_END: Final = re.compile(r"(?<=[。！？!?])\s*|(?<=\.)\s+|\n+")
_LONGEST: Final = 600
"""Characters of a sentence, beyond which a generator is not listened to."""


class Phraser:
    """Puts drafts into other words.

    Args:
        generator: None leaves every draft as it is.
        settings: Its deadline and length.
        brands: Names that must not be said unless the evidence says them.
    """

    def __init__(self, generator: Generator | None, settings: GenerateSettings, brands: Sequence[str] = ()) -> None:
        self._generator, self._settings, self._brands = generator, settings, tuple(brands)

    @property
    def name(self) -> str:
        """Of the generator; empty without one."""
        return "" if self._generator is None else self._generator.name

    def phrase(self, draft: Draft, situation: Situation) -> Pieces[str, None, bool]:
        """Checked sentences; returns whether they say all that the generator had to say."""
        if self._generator is None or not draft.phrasable:
            return False
        whole = False
        try:
            pieces = self._generator.stream(
                answer_prompt(situation.text, draft.evidence, situation.language),
                most=self._settings.tokens,
                seconds=self._settings.seconds,
            )
            for sentence in sentences(pieces):
                if len(sentence) > _LONGEST or unsupported(sentence, draft.evidence, names=self._brands):
                    return False
                whole = True
                yield sentence
        except ModelError:
            return False
        return whole


def sentences(pieces: Iterable[str]) -> Iterator[str]:
    """Whole sentences of a text that comes in pieces, as soon as each has ended.

    >>> list(sentences(["It costs 5", ".50. Re", "turn it? Yes"]))
    ['It costs 5.50.', 'Return it?', 'Yes']
    """
    waiting = ""
    for piece in pieces:
        waiting += piece
        *ended, waiting = _END.split(waiting)
        yield from (sentence.strip() for sentence in ended if sentence.strip())
    if waiting.strip():
        yield waiting.strip()
