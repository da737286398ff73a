"""How alike a question and a snippet are, by vectors and by words, and what that says about one answering the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import ModelError
from shopkeeper.models.decisions import sigmoid
from shopkeeper.models.intent_seeds import LANGUAGES
from shopkeeper.models.intents import IntentModel
from shopkeeper.models.serving import Encoders
from shopkeeper.models.term_space import Matrix, TermSpace
from shopkeeper.models.text import Floats, unit
from shopkeeper.retrieval.analysis import normalise, terms
from shopkeeper.retrieval.snippets import Snippet
from shopkeeper.retrieval.understanding.script import language_of

NAMES: Final = (
    "asked_cosine",
    "text_cosine",
    "asked_words",
    "asked_letters",
    "said",
    "asked_said",
    "same_language",
    "intents",
)
"""Columns of what is looked at; see `Shelved.table`."""


@dataclass(frozen=True, slots=True)
class AnswerModel:
    """How alike a question and a snippet must be for the snippet to be an answer.

    Attributes:
        centres: float32 (3, d), mean vectors of what is asked and written in `LANGUAGES`, and of all; what a language has
            in common is taken off before vectors are compared.
        weights: float32 (len(NAMES),).
        bias: Log-odds where nothing is alike.
        threshold: Least probability of the best snippet for there to be an answer.
        encoder: Name of the encoder that all this holds for.
    """

    centres: Floats
    weights: Floats
    bias: float
    threshold: float
    encoder: str

    def probabilities(self, table: Floats) -> Floats:
        """float32 (n,) for float32 (n, len(NAMES))."""
        return sigmoid((table @ self.weights + self.bias).astype(np.float32))

    def centred(self, vectors: Floats, languages: Sequence[str]) -> Floats:
        """Unit vectors without what their languages have in common, float32 (n, d).

        Args:
            vectors: float32 (n, d).
            languages: Of each; one that is not known has the mean of all taken off.
        """
        rows = [LANGUAGES.index(name) if name in LANGUAGES else len(LANGUAGES) for name in languages]
        return unit(vectors - self.centres[rows])

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and JSON values for a bundle; `load` reads them."""
        arrays = {"answers.centres": self.centres, "answers.weights": self.weights}
        return arrays, {"bias": self.bias, "threshold": self.threshold, "encoder": self.encoder}

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> AnswerModel:
        """Read what `save` gave.

        Raises:
            ModelError: Something is missing or does not fit.
        """
        try:
            centres, weights = (
                np.asarray(arrays[f"answers.{name}"], dtype=np.float32) for name in ("centres", "weights")
            )
            model = cls(centres, weights, float(values["bias"]), float(values["threshold"]), str(values["encoder"]))
            model.probabilities(np.zeros((1, len(NAMES)), dtype=np.float32))
        except (KeyError, ValueError) as error:
            raise ModelError(
                f"The answer model cannot be read: {error!r}.", cure="Train the task `replies` again."
            ) from error
        return model


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it is compared with snippets.

    Attributes:
        vector: float32 (d,), centred.
        words: float32 (WIDTH,), TF-IDF.
        letters: float32 (WIDTH,), TF-IDF of letter pairs.
        weights: float32 (WIDTH,), rarity of its terms.
        intents: float32 (k,), roots of its intents' chances, of length 1.
        language: ``"zh"``, ``"en"`` or empty.
    """

    vector: Floats
    words: Floats
    letters: Floats
    weights: Floats
    intents: Floats
    language: str


class Shelved:
    """Snippets ready to be compared with a question.

    Args:
        snippets: n of them, at least one.
        words: Weighs their terms.
        letters: Weighs their letter pairs.
        vectors: float32 (n, d) of what was asked and (n, d) of the texts, both centred.
        intents: float32 (n, k), see `Question.intents`, of what was asked.
    """

    def __init__(
        self,
        snippets: Sequence[Snippet],
        words: TermSpace,
        letters: TermSpace,
        vectors: tuple[Floats, Floats],
        intents: Floats,
    ) -> None:
        self.snippets = snippets
        self._asked, self._texts = vectors
        self._intents = intents
        asked = [snippet.asked for snippet in snippets]
        self._words, self._letters = words.rows(asked), letters.rows(asked)
        own = words.weights([f"{snippet.asked}\n{snippet.text}" for snippet in snippets])
        self._held = own.astype(np.bool_).astype(np.float32)
        weights = words.weights(asked)
        self._asked_held = weights.astype(np.bool_).astype(np.float32)
        self._asked_total = np.asarray(weights.sum(axis=1)).ravel()
        self._languages = np.array([snippet.language for snippet in snippets])

    def table(self, question: Question) -> Floats:
        """What `NAMES` says of each snippet, float32 (n, len(NAMES)).

        Cosines of the vectors with what was asked and with the text, TF-IDF cosines of words and of letter pairs with
        what was asked, the share of the question's weight that the snippet holds, the share of what was asked that the
        question holds, whether both are in one language, and how alike the intents of both questions are.
        """
        said = question.weights
        total = max(float(question.weights.sum()), 1e-9)
        columns = (
            self._asked @ question.vector,
            self._texts @ question.vector,
            self._words @ question.words,
            self._letters @ question.letters,
            self._held @ said / total,
            (self._asked_held @ said) / np.maximum(self._asked_total, 1e-9),
            (self._languages == question.language).astype(np.float32),
            self._intents @ question.intents,
        )
        return np.stack(columns, axis=1).astype(np.float32)


def bigrams(text: str) -> list[str]:
    """Pairs of neighbouring letters and digits, lower case; a single one stands for itself.

    >>> bigrams("Ab c")
    ['ab', 'bc']
    """
    plain = "".join(letter for letter in normalise(text) if letter.isalnum())
    return [plain[at : at + 2] for at in range(len(plain) - 1)] or ([plain] if plain else [])


class Comparer:
    """Makes questions and snippets comparable. All are encoded as passages: question is compared with question.

    Args:
        texts: What the rarity of terms is counted in.
        encoders: Questions one at a time, what is written remembered on disk.
        model: Whose centres are taken off the vectors.
        intents: What is wanted; of the same encoder.
    """

    def __init__(self, texts: Sequence[str], encoders: Encoders, model: AnswerModel, intents: IntentModel) -> None:
        self._words, self._letters = TermSpace(texts, terms), TermSpace(texts, bigrams)
        self._encoders, self._model, self._intents = encoders, model, intents

    def question(self, text: str, language: str = "", vector: Floats | None = None) -> Question:
        """A question made ready.

        Args:
            text: As it was asked.
            language: ``"zh"`` or ``"en"``; guessed when empty.
            vector: float32 (d,) from the encoder; None costs a pass through it.
        """
        given = self._encoders.query.encode([text], "passage") if vector is None else vector[None, :]
        spoken = language[:2] or language_of(text)
        words, letters, weights = self._words.rows([text]), self._letters.rows([text]), self._words.weights([text])
        centred = self._model.centred(given, [spoken])[0]
        return Question(
            vector=centred,
            words=_dense(words),
            letters=_dense(letters),
            weights=_dense(weights),
            intents=self._wanted([text], given)[0],
            language=spoken,
        )

    def shelved(self, snippets: Sequence[Snippet]) -> Shelved:
        """Snippets made ready; what was never encoded before costs a pass through the encoder."""
        many = self._encoders.passage.encode
        spoken = [snippet.language for snippet in snippets]
        given = many([snippet.asked for snippet in snippets])
        asked = self._model.centred(given, spoken)
        texts = self._model.centred(many([snippet.text for snippet in snippets]), spoken)
        wanted = self._wanted([snippet.asked for snippet in snippets], given)
        return Shelved(snippets, self._words, self._letters, (asked, texts), wanted)

    def shared(self, question: Question, snippets: Sequence[Snippet]) -> Floats:
        """Weight of the question's terms that each snippet holds, float32 (n,): by words alone, so it costs little."""
        held = self._words.weights([f"{snippet.asked}\n{snippet.text}" for snippet in snippets]).astype(np.bool_)
        found: Floats = held.astype(np.float32) @ question.weights
        return found

    def _wanted(self, texts: Sequence[str], vectors: Floats) -> Floats:
        return unit(np.sqrt(self._intents.read(texts, vectors).chances))


def _dense(matrix: Matrix) -> Floats:
    """A matrix of one row as float32 (WIDTH,)."""
    found = np.zeros(matrix.shape[1], dtype=np.float32)
    found[matrix.indices] = matrix.data
    return found
