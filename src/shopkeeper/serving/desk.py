"""The desk between the event loop and the shop: answers are worked out in a few threads and noted as shown."""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from shopkeeper.records import Answer, Event, Request
from shopkeeper.serving.impressions import ImpressionLog
from shopkeeper.serving.telemetry import Metrics

if TYPE_CHECKING:
    from shopkeeper.tasks.assist.turns import Reply
    from shopkeeper.tasks.recommend.shelves import HomeShelf
    from shopkeeper.tasks.search.answers import SearchAnswer
    from shopkeeper.tasks.shop import Shop

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A", bound=Answer)


class Desk:
    """Gives requests to the shop. Methods block; `run` takes them off the event loop."""

    def __init__(self, shop: Shop, metrics: Metrics) -> None:
        self.shop = shop
        self.metrics = metrics
        serve = shop.settings.serve
        threads = serve.threads or (os.cpu_count() or 1) + 1
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="answer")
        self._impressions = ImpressionLog(shop.record, metrics) if serve.log_impressions else None

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in one of the desk's threads, with the caller's context (request id)."""
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, lambda: context.run(function, *args, **kwargs)
        )

    def search(self, request: Request, cursor: str = "") -> SearchAnswer:
        """Search; what is shown is logged, a redirect is not."""
        answer = self.shop.search(request, cursor)
        return self._answered("search", answer, shown=not answer.redirect)

    def recommend(self, request: Request) -> Answer:
        """Recommend; what is shown is logged."""
        return self._answered("recommend", self.shop.recommend(request))

    def similar(self, request: Request) -> Answer:
        """Find similar items; what is shown is logged."""
        return self._answered("similar", self.shop.similar(request))

    def looks_like(self, request: Request) -> Answer:
        """Find items that look like one; what is shown is logged."""
        return self._answered("looks", self.shop.looks_like(request))

    def bundle(self, request: Request) -> Answer:
        """Find what completes an item; what is shown is logged."""
        return self._answered("bundle", self.shop.bundle(request))

    def home(self, request: Request) -> tuple[HomeShelf, ...]:
        """Lay out the home page; each shelf is logged as what it is."""
        page = self.shop.home(request)
        for shelf in page:
            self._answered("home", shelf.answer)
        return page

    def replied(self, reply: Reply) -> None:
        """Note what a reply of the assistant recommends as shown; its clicks come back under the reply's id."""
        turn = reply.turn
        asked = Request(id=reply.id, customer=turn.customer, session=turn.session, surface="assist")
        hits = reply.hits
        answer = Answer(request=asked, hits=hits, total=len(hits), model=reply.model, seconds=reply.seconds)
        self.metrics.answers.labels("assist").observe(reply.seconds)
        if self._impressions and hits:
            self._impressions.add(answer)

    def record(self, events: Sequence[Event]) -> int:
        """Write events, behind the pages that they react to; they are on disk when this returns. Returns how many were new."""
        if self._impressions:
            self._impressions.before(events)
        new = self.shop.record(events)
        self.metrics.events.labels("new").inc(new)
        self.metrics.events.labels("repeated").inc(len(events) - new)
        return new

    def erase(self, customer: str, actor: str = "") -> int:
        """Delete a customer, what was shown to them and is not written yet included; see `Shop.erase`."""
        self.flush()
        return self.shop.erase(customer, actor)

    def flush(self) -> None:
        """Wait until every impression so far is on disk."""
        if self._impressions:
            self._impressions.flush()

    def close(self) -> None:
        """Finish what was begun; the shop itself stays open."""
        self._pool.shutdown(wait=True)
        if self._impressions:
            self._impressions.close()

    def _answered(self, task: str, answer: A, *, shown: bool = True) -> A:
        self.metrics.answers.labels(task).observe(answer.seconds)
        if not answer.hits:
            self.metrics.empty.labels(task).inc()
        if self._impressions and shown:
            self._impressions.add(answer)
        return answer
