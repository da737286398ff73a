"""What a conversation remembers from one turn to the next, and where it is kept: in the transcript, nowhere else.

Every passage of the assistant carries, as JSON in its title, what the conversation stands at after it. Whoever takes the
next turn, in whatever process, reads it there; what is erased is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from shopkeeper.errors import ForbiddenError
from shopkeeper.records import Passage, PassageKind
from shopkeeper.store.privacy import TALK
from shopkeeper.store.protocols import Words
from shopkeeper.tasks.assist.turns import Proposal, Turn

SOURCE: Final = TALK
"""`Passage.source` of the shop's own conversations: what customers said is never quoted to others."""
CUSTOMER, ASSISTANT, STAFF = "customer", "assistant", "staff"
"""Authors of a conversation's passages."""
LASTS: Final = timedelta(minutes=10)
"""How long a proposal waits for its yes."""
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Pending:
    """A proposal that waits for a yes.

    Attributes:
        made: When it was made, ISO 8601.
        address: Where to, for another address.
    """

    proposal: Proposal
    made: str
    address: str = ""

    def expired(self, moment: datetime) -> bool:
        """Is it too old for a yes, or made in a future that a clock has gone back from?"""
        return abs(moment - datetime.fromisoformat(self.made)) > LASTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a conversation stands at.

    Attributes:
        customer: Whose it is; empty for a stranger's.
        language: Of the last reply.
        order: The order spoken of last.
        items: The items named or shown last, in the order in which they were shown.
        wishes: What a recommendation should fit, in the customer's words, oldest first.
        pending: The proposal that waits for a yes.
        done: Ids of the proposals that were carried out.
        awaits: What was asked back for: ``order``, ``address``, ``product``, ``wish`` or empty.
        tool: What the awaited thing is for.
        asked: How often in a row was asked back.
        unsure: How often in a row nothing was found or understood.
        upset: Turns in anger so far.
        abused: Insults so far.
        desk: ``waiting`` for a human, ``taken`` by one, or empty.
        case: Subject of the question to humans in the review queue.
        cases: How often it was handed over.
    """

    customer: str = ""
    language: str = ""
    order: str = ""
    items: tuple[str, ...] = ()
    wishes: tuple[str, ...] = ()
    pending: Pending | None = None
    done: tuple[str, ...] = ()
    awaits: str = ""
    tool: str = ""
    asked: int = 0
    unsure: int = 0
    upset: int = 0
    abused: int = 0
    desk: str = ""
    case: str = ""
    cases: int = 0

    @classmethod
    def of(cls, document: dict[str, Any]) -> Memory:
        """The inverse of `dataclasses.asdict`, from JSON values."""
        lists = {name: tuple(document[name]) for name in ("items", "wishes", "done")}
        waits = document["pending"]
        pending = Pending(Proposal(**waits["proposal"]), waits["made"], waits["address"]) if waits else None
        return cls(**{**document, **lists, "pending": pending})


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept with a passage of the assistant or of staff.

    Attributes:
        memory: What the conversation stood at after it.
        reply: Kind, intents, sentiment and citations of the reply, JSON values; empty for staff.
    """

    memory: Memory
    reply: dict[str, Any] = field(default_factory=dict)

    def packed(self) -> str:
        """As the title of a passage."""
        return orjson.dumps({"memory": asdict(self.memory), "reply": self.reply}).decode()


def kept(passage: Passage) -> Kept | None:
    """What is kept with a passage; None where nothing is."""
    if passage.source != SOURCE or passage.author == CUSTOMER or not passage.title:
        return None
    document = orjson.loads(passage.title)
    return Kept(Memory.of(document["memory"]), document["reply"])


class Transcript:
    """The last passages of one conversation, read once and written to.

    Args:
        words: Where passages are kept.
        conversation: Which one.
        most: Passages that are read; older ones are not looked at.
    """

    def __init__(self, words: Words, conversation: str, most: int) -> None:
        self._words, self._conversation = words, conversation
        found = words.of_thread(conversation, most)
        self.passages = [passage for passage in found if passage.kind is PassageKind.DIALOGUE]

    @property
    def memory(self) -> Memory:
        """What the conversation stands at."""
        known = (kept(passage) for passage in reversed(self.passages))
        found = next((each for each in known if each is not None), None)
        return Memory() if found is None else found.memory

    def admit(self, turn: Turn) -> None:
        """Let only those go on with a conversation whose it is; one of a stranger may become a customer's.

        Raises:
            ForbiddenError: It is another customer's.
        """
        owners = {passage.customer for passage in self.passages if passage.customer}
        if owners - {turn.customer} or any(passage.source != SOURCE for passage in self.passages):
            raise ForbiddenError(
                "This conversation is someone else's.", where="conversation", cure="Begin a new one without an id."
            )

    def add(self, *passages: Passage) -> list[Passage]:
        """Write passages, all or none; on disk when this returns. Times never go back, so that the order of arrival stays."""
        last = self.passages[-1].time if self.passages else None
        added: list[Passage] = []
        for passage in passages:
            moment = passage.time
            if last is not None and moment is not None and moment <= last:
                passage = replace(passage, time=last + _TICK)
            added.append(passage)
            last = passage.time
        self._words.put(added)
        self.passages += added
        return added

    def keep(self, memory: Memory) -> None:
        """Let the conversation stand at something else, without another word said."""
        for place in range(len(self.passages) - 1, -1, -1):
            known = kept(self.passages[place])
            if known is not None:
                changed = replace(self.passages[place], title=Kept(memory, known.reply).packed())
                self._words.put([changed])
                self.passages[place] = changed
                return

    def said(self, author: str, last: int = 1) -> Sequence[str]:
        """The last texts of an author, oldest first."""
        return [passage.text for passage in self.passages if passage.author == author][-last:]
