"""What is said of an alert, or of what another department has to tell, at one of its steps: to machines, in a mail, on a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Any, Final, Protocol

from shopkeeper.store.documents import Document
from shopkeeper.tasks.listen.alerts import EVENT, alert_of
from shopkeeper.tasks.listen.steps import Step, level_of

_SUBJECT: Final = 150
_LEVELS: Final = {
    "en": {"low": "low", "medium": "medium", "high": "high"},
    "zh": {"low": "轻微", "medium": "值得关注", "high": "严重"},
}


class Told(Protocol):
    """What can be told: an `Alert`, or a `Message`."""

    @property
    def id(self) -> str:
        """Of its row."""
        ...

    @property
    def event(self) -> str:
        """The type that receivers see."""
        ...

    @property
    def severity(self) -> float:
        """From 0 to 1."""
        ...

    @property
    def level(self) -> str:
        """One of `listen.steps.LEVELS`."""
        ...

    @property
    def headline(self) -> Mapping[str, str]:
        """In ``en`` and ``zh``."""
        ...

    @property
    def summary(self) -> Mapping[str, str]:
        """More of it, in ``en`` and ``zh``; several lines each, or none at all."""
        ...

    def body(self) -> dict[str, Any]:
        """As JSON values, without id."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """What another department has to tell. It stands among the alerts' rows, with steps as they have.

    Attributes:
        id: Of its row.
        event: The type that receivers see, such as ``guard.drift``.
        severity: From 0 to 1.
        headline: In ``en`` and ``zh``.
        summary: More of it, in ``en`` and ``zh``.
        data: Whatever else machines are told, as JSON values.
    """

    id: str
    event: str
    severity: float
    headline: Mapping[str, str]
    summary: Mapping[str, str]
    data: Mapping[str, Any]

    @property
    def level(self) -> str:
        """``high``, ``medium`` or ``low``."""
        return level_of(self.severity)

    def body(self) -> dict[str, Any]:
        """As JSON values, without id and event."""
        told = {"severity": self.severity, "headline": dict(self.headline), "summary": dict(self.summary)}
        return {**self.data, **told}

    def row(self, time: datetime) -> Document:
        """Its row, without steps; `told_of` is the inverse."""
        return Document(self.id, time, {EVENT: self.event, **self.body()})


def told_of(document: Document) -> Told:
    """The alert, or the message, in a row of the alerts."""
    if EVENT not in document.body:
        return alert_of(document)
    body = {name: value for name, value in document.body.items() if name != "steps"}
    event, severity, headline, summary = (body.pop(name) for name in (EVENT, "severity", "headline", "summary"))
    return Message(document.id, event, severity, headline, summary, body)


@dataclass(frozen=True, slots=True)
class Notice:
    """What a channel is to tell.

    Attributes:
        alert: As it stands now.
        place: Which of its steps this is, from 0.
        steps: The steps up to this one.
    """

    alert: Told
    place: int = 0
    steps: tuple[Step, ...] = ()

    @property
    def id(self) -> str:
        """The same at every attempt, another one for every step; without dots, as Standard Webhooks asks."""
        return f"{self.alert.id}-{self.place}" if self.place else self.alert.id

    @property
    def level(self) -> str:
        """How grave it is at this step."""
        return self.steps[-1].level if self.steps else self.alert.level

    @property
    def before(self) -> str:
        """How grave it was when it was told last; empty the first time."""
        return self.steps[-2].level if self.place else ""

    def body(self) -> dict[str, Any]:
        """As JSON values: the alert, and ``step``, ``level`` and ``before``."""
        severity = self.steps[-1].severity if self.steps else self.alert.severity
        told = {"severity": severity, "step": self.place, "level": self.level, "before": self.before}
        return {"id": self.alert.id, **self.alert.body(), **told}

    def line(self, language: str) -> str:
        """How grave it is, in square brackets, and the headline, in ``en`` or ``zh``."""
        name = _LEVELS[language]
        was = {"en": ", was ", "zh": "，原为"}[language] + name[self.before] if self.before else ""
        return f"[{name[self.level]}{was}] {self.alert.headline[language]}"


def mail_of(notice: Notice, sender: str, to: Sequence[str]) -> EmailMessage:
    """The alert as a mail, later steps as answers to the first; what posts say cannot break out of its headers."""
    host = sender.rpartition("@")[2] or "localhost"
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = printable(notice.line("en"))[:_SUBJECT]
    message["Message-ID"] = f"<{notice.id}@{host}>"
    if notice.place:
        message["In-Reply-To"] = message["References"] = f"<{notice.alert.id}@{host}>"
    more = notice.alert.summary
    said = [part for language in ("en", "zh") for part in (notice.line(language), more.get(language, "")) if part]
    said.append(f"Alert {notice.alert.id}")
    message.set_content("\n\n".join(said) + "\n", cte="base64")  # not every server takes 8 bits
    return message


def printable(text: str) -> str:
    """A text on one line, without characters that command a terminal or end a header."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
