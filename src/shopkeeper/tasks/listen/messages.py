"""What is said of an alert at one of its steps: to machines, in a mail, on a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Final

from shopkeeper.tasks.listen.alerts import Alert
from shopkeeper.tasks.listen.steps import Step

_SUBJECT: Final = 150
_LEVELS: Final = {
    "en": {"low": "low", "medium": "medium", "high": "high"},
    "zh": {"low": "轻微", "medium": "值得关注", "high": "严重"},
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What a channel is to tell.

    Attributes:
        alert: As it stands now.
        place: Which of its steps this is, from 0.
        steps: The steps up to this one.
    """

    alert: Alert
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
    said = [notice.line("en"), notice.line("zh"), notice.alert.summary, f"Alert {notice.alert.id}"]
    message.set_content("\n\n".join(said) + "\n", cte="base64")  # not every server takes 8 bits
    return message


def printable(text: str) -> str:
    """A text on one line, without characters that command a terminal or end a header."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
