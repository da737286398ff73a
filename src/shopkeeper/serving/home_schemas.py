"""What travels over HTTP for home pages, bundles, and customers who wait for something."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from shopkeeper.records import Request
from shopkeeper.serving.replies import AnswerOut
from shopkeeper.serving.schemas import FiltersIn, Id, Language, OptionalId, SimilarIn, Strict
from shopkeeper.store.waiting import DAYS


class HomeIn(Strict):
    """Whose home page: a customer, a session, both, or somebody unknown."""

    customer: OptionalId = ""
    session: OptionalId = ""
    language: Language = Field(default="", description="Goods in this language first, where there are enough.")
    limit: int | None = Field(
        default=None, ge=4, le=50, description="Items on each shelf at most; the shop's own page size when left out."
    )
    filters: FiltersIn = FiltersIn()
    explain: bool = Field(default=False, description="Fill reasons and contributions.")
    details: bool = Field(default=False, description="Put the whole item beside each hit.")

    def record(self, limit: int, request_id: str) -> Request:
        """The request that this describes; `limit` is the shop's own page size."""
        return Request(
            id=request_id,
            customer=self.customer,
            session=self.session,
            language=self.language,
            limit=self.limit or limit,
            filters=self.filters.record(),
            explain=self.explain,
        )


class HomeShelfOut(AnswerOut):
    """One shelf: an answer with a request id of its own."""

    kind: str = Field(description="continue, because, for_you, again, new, popular or category")
    title: dict[str, str] = Field(description="In en and zh.")
    about: str = Field(description="The item of `because`, the path of `category`, else empty.")


class HomeOut(BaseModel):
    """A home page, topmost shelf first."""

    request: str
    shelves: list[HomeShelfOut]


class BundleIn(SimilarIn):
    """An item that others are to complete."""


class WaitIn(Strict):
    """A customer who wants to be told when an item that is sold out can be bought again."""

    customer: Id
    item: Id
    days: float = Field(default=DAYS, gt=0, le=3_650, description="For how long.")


class WaitOut(BaseModel):
    """A wait as it is kept."""

    customer: str
    item: str
    since: datetime
    expires: datetime


class EndedOut(BaseModel):
    """Whether there was anything to end."""

    removed: bool
