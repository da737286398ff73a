"""Walks of life other than shops: label sets, words, rules and settings, as data.

A domain is a TOML file and no code. Five are shipped beside this module; ``shopkeeper init --domain NAME_OR_FILE`` puts a
copy into the new shop's folder as ``domain.toml``, where it may be changed. A shop without that file is a shop.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from shopkeeper.domains.wording import Wording
from shopkeeper.errors import InputError, SettingsError
from shopkeeper.settings import Settings

__all__ = ["FILE", "Class", "Domain", "Held", "LabelSet", "Rule", "Wording", "domain_file", "domain_of", "shipped"]

FILE: Final = "domain.toml"
"""Where a shop's domain is, in its folder."""

_HERE = Path(__file__).parent
_LANGUAGES: Final = ("en", "zh")


def _both(said: Mapping[str, Any]) -> Mapping[str, Any]:
    if said and (set(said) != set(_LANGUAGES) or not all(said.values())):
        raise ValueError("say it in both languages, en and zh")
    return said


Text = Annotated[Mapping[str, str], AfterValidator(_both)]
"""A sentence in English (``en``) and Chinese (``zh``), or nothing."""
Task = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Class(_Part):
    """One answer to a question.

    Attributes:
        name: As it is learnt and returned.
        title: What readers call it; files may use these names as well.
    """

    name: str = Field(min_length=1, max_length=200)
    title: Text = {}


class LabelSet(_Part):
    """A question that texts are sorted by, and how far a model may answer it alone.

    Attributes:
        task: Name of the classifier and of its review queue.
        question: What is asked.
        classes: The answers that exist; none: any.
        least: Probability below which a human decides.
        notice: Stands beside every answer.
        days: Days within which a text is to be dealt with; 0 for no deadline.
        replies: May what was replied to earlier texts be kept and shown?
    """

    task: Task
    question: Text
    classes: tuple[Class, ...] = ()
    least: float = Field(0.5, ge=0, le=1)
    notice: Text = {}
    days: int = Field(0, ge=0, le=3_650)
    replies: bool = False

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Every way to write an answer, casefolded, to its name."""
        return {said.casefold(): one.name for one in self.classes for said in (*one.title.values(), one.name)}

    def title(self, name: str) -> Mapping[str, str]:
        """What readers call an answer; its own name where nothing else is known."""
        found = next((one.title for one in self.classes if one.name == name and one.title), None)
        return found or dict.fromkeys(_LANGUAGES, name)


class Rule(_Part):
    """What is said, and done, where a text holds certain words, whatever a model thinks.

    Negation is not read: "no chest pain" holds "chest pain". A warning too many is the cheaper mistake.

    Attributes:
        kind: ``emergency`` and ``urgent`` by weight, ``limit`` for what the house may not do.
        words: Words that call for it, by language; any one is enough.
        text: What is said.
        tasks: Questions it belongs to; none: all.
        label: The answer that it forces, empty for none.
        human: Must a human decide?
        days: Days within which the text is to be dealt with; 0 leaves the deadline as it is.
    """

    kind: Literal["emergency", "urgent", "limit"]
    words: Mapping[Literal["en", "zh"], tuple[str, ...]]
    text: Annotated[Text, Field(min_length=1)]
    tasks: tuple[Task, ...] = ()
    label: str = ""
    human: bool = False
    days: int = Field(0, ge=0, le=3_650)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds its words: whole ones in English, anywhere in Chinese, the longest first; however spaces and ' are typed."""
        english = sorted(map(_typed, self.words.get("en", ())), key=len, reverse=True)
        chinese = sorted(map(re.escape, self.words.get("zh", ())), key=len, reverse=True)
        parts = [rf"(?<![^\W_])(?:{'|'.join(english)})(?![^\W_])"] if english else []
        return re.compile("|".join([*parts, *chinese]) or "(?!)", re.IGNORECASE)


def _typed(phrase: str) -> str:
    return re.escape(phrase).replace(r"\ ", r"\s+").replace("'", "['’‘]")


@dataclass(frozen=True, slots=True)
class Held:
    """A rule that holds for a text, and the first place where it does.

    Attributes:
        start: Where the word begins, in characters.
        end: Where it ends.
    """

    rule: Rule
    word: str
    start: int
    end: int


class Domain(_Part):
    """A walk of life.

    Attributes:
        name: Of its file.
        title: What it is called.
        settings: Dotted names of settings to values that differ from a shop's.
        words: By language, phrases of the storefront to what they are called here, see `Wording`.
        labels: Questions that texts are sorted by.
        rules: What certain words call for, the weightiest first.
        logic: Rules over items and customers, see `trust.logic_syntax`; they begin the shop's ``logic.txt``.
    """

    name: str = "shop"
    title: Text = {}
    settings: Mapping[str, Any] = {}
    words: Mapping[Literal["en", "zh"], Mapping[str, str]] = {}
    labels: tuple[LabelSet, ...] = ()
    rules: tuple[Rule, ...] = ()
    logic: str = ""

    @model_validator(mode="after")
    def _fits(self) -> Domain:
        tasks = [one.task for one in self.labels]
        if len(set(tasks)) < len(tasks):
            raise ValueError("two label sets have one task")
        for rule in self.rules:
            if missing := set(rule.tasks) - set(tasks):
                raise ValueError(f"a rule belongs to {min(missing)!r}, which is no label set")
            asked = [one for one in self.labels if not rule.tasks or one.task in rule.tasks]
            if rule.label and not any(rule.label in one.names.values() for one in asked):
                raise ValueError(f"a rule forces {rule.label!r}, which is no class")
        try:
            Settings().override(self.settings)
        except SettingsError as error:
            raise ValueError(str(error)) from error
        return self

    @cached_property
    def wording(self) -> Wording:
        """How the storefront speaks here."""
        return Wording.of(self.words)

    def label_set(self, task: str) -> LabelSet:
        """The question of that name; one without limits where the domain does not know it."""
        found = next((one for one in self.labels if one.task == task), None)
        return found or LabelSet(task=task, question={})

    def held(self, task: str, text: str) -> Iterator[Held]:
        """The rules that hold for a text of a task, the weightiest first."""
        for rule in self.rules:
            if (not rule.tasks or task in rule.tasks) and (found := rule.pattern.search(text)):
                yield Held(rule, found.group(), found.start(), found.end())


def shipped() -> Sequence[str]:
    """Names of the domains that come with the package."""
    return sorted(file.stem for file in _HERE.glob("*.toml"))


def domain_file(wanted: str) -> Path:
    """The file of a shipped domain, or the user's own.

    Raises:
        InputError: There is neither a domain nor a file of that name.
    """
    if wanted in shipped():
        return _HERE / f"{wanted}.toml"
    if Path(wanted).is_file():
        return Path(wanted)
    raise InputError(
        f"There is no domain {wanted!r}.",
        where="domain",
        cure=f"Choose {', '.join(shipped())}, or name a TOML file of your own.",
    )


def domain_of(place: Path) -> Domain:
    """The domain of a shop's folder, or of a file; a shop's where there is none.

    Raises:
        InputError: The file is not TOML, or not a domain; says what is wrong with which part.
    """
    file = place / FILE if place.is_dir() else place
    try:
        tree = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Domain()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"The domain cannot be read: {error}.", where=str(file), cure="Mend the file.") from error
    try:
        return Domain.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        part = ".".join(map(str, first["loc"]))
        cure = "See docs/domains/README.md for what a domain may say."
        raise InputError(f"{part or 'It'}: {first['msg']}.", where=str(file), cure=cure) from error
