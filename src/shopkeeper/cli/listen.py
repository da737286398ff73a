"""The ear on the command line: take feeds in, read what waits, and see what people write about."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

import typer

from shopkeeper.cli.labelling import labelled
from shopkeeper.cli.main import Session, app
from shopkeeper.errors import InputError
from shopkeeper.models.registry import Registry
from shopkeeper.records import now
from shopkeeper.serving.listening_schemas import opinion_document, series_documents
from shopkeeper.store.database import open_store
from shopkeeper.store.feeds.rss import read_feed
from shopkeeper.tasks.listen.task import ListenTask

opinions = typer.Typer(invoke_without_command=True, help="What people write about, and how it feels.")
app.add_typer(opinions, name="opinions")

By = Annotated[str, typer.Option(help="topic, brand, item, source, entity or risk")]
Days = Annotated[float, typer.Option(help="How far back.", min=0.01, max=3_660)]


@app.command()
def listen(
    context: typer.Context,
    feed: Annotated[
        list[str] | None, typer.Option(help="RSS or Atom: a file, or an address on a host of fetch.hosts; repeatable.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Read what is there and stop.")] = False,
    every: Annotated[float, typer.Option(help="Minutes between two looks at the feeds.", min=1)] = 15,
) -> None:
    """Take feeds in and read every post and review that was not read; again and again unless --once."""
    session: Session = context.obj
    with _task(session) as task:
        while True:
            taken, failed = _take(session, task, feed or [])
            read = task.catch_up()
            session.output.say(f"{taken} posts taken in, {read} read.")
            if once:
                session.output.result({"taken": taken, "read": read, "failed": failed})
                if failed and len(failed) == len(feed or []):
                    raise typer.Exit(1)
                return
            time.sleep(60 * every)


@opinions.callback()
def show(
    context: typer.Context,
    by: By = "topic",
    days: Days = 30,
    limit: Annotated[int, typer.Option(help="How many lines.", min=1, max=200)] = 15,
) -> None:
    """What was written about most, against the period of the same length before."""
    if context.invoked_subcommand is not None:
        return
    session: Session = context.obj
    end = now()
    with _task(session) as task:
        digest = task.digest(end - timedelta(days=days), end, (by,), limit)
        names = dict(task.names())
        step = timedelta(days=max(days / 200, 1 / 24)) if days < 200 else timedelta(days=days / 100)
        table = task.series(by, end - timedelta(days=days), end, step, limit)
    rows = [
        (
            " / ".join(dict.fromkeys(names.get(line.key, (line.key,)))),
            line.posts,
            line.before,
            line.negative,
            f"{line.sentiment:+.2f}",
        )
        for line in digest.lines[by]
    ]
    session.output.table(
        f"{digest.posts} posts of {days:g} days, {digest.copies} of them copies, {digest.negative} complaints",
        [by, "posts", "before", "negative", "feeling"],
        rows,
    )
    session.output.result({"by": by, "posts": digest.posts, "series": series_documents(table, names)})


@opinions.command()
def posts(
    context: typer.Context,
    words: Annotated[str, typer.Argument(help="Only posts that hold all these words.")] = "",
    by: Annotated[str, typer.Option(help="With --key: topic, brand, item, source, entity or risk.")] = "",
    key: Annotated[str, typer.Option(help="Of the series, e.g. delivery.")] = "",
    negative: Annotated[bool, typer.Option("--negative", help="Only complaints.")] = False,
    days: Days = 30,
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=500)] = 20,
) -> None:
    """Posts with what was read in them, newest first."""
    session: Session = context.obj
    end = now()
    with _task(session) as task:
        found = task.posts(end - timedelta(days=days), end, by=by, key=key, words=words, negative=negative, limit=limit)
    rows = [
        (post.id, f"{reading.sentiment:+.2f}", ", ".join(reading.topics), reading.risk, post.text[:60])
        for post, reading in found
    ]
    session.output.table("Posts", ["post", "feeling", "topics", "risk", "text"], rows)
    session.output.result([opinion_document(post, reading) for post, reading in found])


@opinions.command()
def say(
    context: typer.Context,
    post: Annotated[str, typer.Argument(help="Id of the post.")],
    answers: Annotated[
        list[str], typer.Argument(help="about=not_us, about=us, sentiment=negative, topic=delivery, risk=none ...")
    ],
    rater: Annotated[str, typer.Option(help="Who says so.")] = "",
) -> None:
    """Correct what was read in a post; `train about sentiment topic risk event` learns from it."""
    pairs = labelled(answers, "TASK")
    session: Session = context.obj
    with _task(session) as task:
        for name, label in pairs:
            reading = task.feedback(post, name, label, rater)
    session.output.say(f"{len(pairs)} noted.")
    session.output.result({"post": post, **reading.document().body})


def _take(session: Session, task: ListenTask, feeds: list[str]) -> tuple[int, list[str]]:
    """Posts of all feeds that can be had; how many were new, and which feeds could not."""
    taken, failed = 0, []
    for source in feeds:
        try:
            found = read_feed(source, session.settings.fetch.listed)
        except InputError as error:
            session.output.say(str(error))
            failed.append(source)
        else:
            taken += task.keep(found).new
    return taken, failed


@contextmanager
def _task(session: Session) -> Iterator[ListenTask]:
    store = open_store(session.settings.store_url)
    task = ListenTask(store, session.settings, Registry(session.settings.bundles))
    try:
        yield task
    finally:
        task.close()
        store.close()
