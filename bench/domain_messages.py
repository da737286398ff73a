"""A city's messages: which matters are hot, and which earlier reply helps with a message."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.contract import Metric, Row
from shopkeeper.models.serving import encoders
from shopkeeper.models.text import Floats
from shopkeeper.records import Passage, PassageKind
from shopkeeper.retrieval.similar_texts import SimilarTexts
from shopkeeper.settings import Settings
from shopkeeper.tasks.listen.hot_topics import Encode
from shopkeeper.tasks.listen.hot_topics import hot_topics as found_topics

MATTERS = {"smoke and noise at night": "魅力之城", "students sent to factories": "经济学院"}
"""The two matters that the thirty sample messages hold several of, by the word that all of each and no others have."""
_QUOTED = re.compile(r"《[^》]*》|“[^”]*”|\"[^\"]*\"")


def hot_topics(data: Path, *, quick: bool) -> list[Row]:
    """The thirty sample messages with likes among the 495 others: are both known matters found, whole and on top?

    `pair_f1`: pairs of messages put together against pairs of one matter. `rank`: worst place of a known matter.
    """
    frame = pl.read_parquet(data / "zh_city_messages" / "hot_topics.parquet")
    others = pl.read_parquet(data / "zh_city_messages" / "messages.parquet").head(60 if quick else 495)
    messages = [_message("h", row) for row in frame.iter_rows(named=True)]
    messages += [_message("m", row) for row in others.iter_rows(named=True)]
    likes = {f"h{name}": count for name, count in frame.select("message_id", "likes").iter_rows()}
    now = max(one.time for one in messages if one.time)
    wanted = [{one.id for one in messages if one.id[0] == "h" and word in one.title} for word in MATTERS.values()]
    encode = cache_of(encode_texts())
    rows = []
    for name, words in (("TF-IDF", 1.0), ("e5-small, raw", 0.0), ("shopkeeper", 0.5)):
        began = time.perf_counter()
        found = found_topics(messages, encode, now, likes=likes, half_life_days=180, words=words)
        ranks, right, said, true = [], 0, 0, 0
        for own in wanted:
            best = max(range(len(found)), key=lambda place: len(own & {*found[place].messages}), default=0)
            group = {*found[best].messages} if found else set()
            ranks.append(best + 1)
            right += _pairs(len(group & own))
            said += _pairs(len(group))
            true += _pairs(len(own))
        top = "; ".join(f"{topic.title} ({len(topic.messages)}, heat {topic.heat:.1f})" for topic in found[:3])
        metrics = {"pair_f1": Metric(2 * right / max(1, said + true)), "rank": Metric(float(max(ranks)))}
        note = f"30 + {others.height} messages; hottest: {top}"
        rows.append(Row(f"{name} hot topics", metrics, time.perf_counter() - began, note))
    return rows


def replies(data: Path, *, quick: bool) -> list[Row]:
    """A stand-in for reply retrieval, as the sample holds each matter once: the subject asks, the reply's case is found.

    The index holds the body of each of the 117 messages with a reply of its own; the question is the subject line, which the
    index has not seen: the same matter in other and fewer words. `to_reply`: the subject against the replies themselves, with
    everything they quote taken out. Real repeats of a matter, which this sample lacks, are easier than the first and
    harder than the second.
    """
    frame = pl.read_parquet(data / "zh_city_messages" / "replies.parquet").unique("reply", maintain_order=True)
    frame = frame.head(40) if quick else frame
    subjects = [" ".join(topic.split()) for topic in frame["topic"].to_list()]
    bodies = [
        body.replace(subject, "")[:600] for body, subject in zip(frame["detail"].to_list(), subjects, strict=True)
    ]
    answers = [
        _QUOTED.sub("", text).replace(subject, "")[:800]
        for text, subject in zip(frame["reply"].to_list(), subjects, strict=True)
    ]
    encode = cache_of(encode_texts())
    rows = []
    for name, words in (("TF-IDF", 1.0), ("e5-small, raw", 0.0), ("shopkeeper similar texts", 0.5)):
        began = time.perf_counter()
        case = _places(SimilarTexts(bodies, encode, words=words), subjects)
        reply = _places(SimilarTexts(answers, encode, words=words), subjects)
        metrics = {
            "recall@1": Metric.mean(case == 0),
            "recall@5": Metric.mean(case < 5),
            "to_reply_recall@1": Metric.mean(reply == 0),
            "to_reply_recall@5": Metric.mean(reply < 5),
        }
        rows.append(Row(f"{name}, replies", metrics, time.perf_counter() - began, f"{len(subjects)} messages"))
    return rows


def _places(index: SimilarTexts, questions: Sequence[str]) -> NDArray[np.int64]:
    """Places int64 (n,), from 0, at which the text of the same number stands for each question."""
    scores = index.scores(questions)
    own = np.diagonal(scores)[:, None]
    found: NDArray[np.int64] = (scores > own).sum(axis=1)
    return found


def encode_texts() -> Encode:
    """Texts to vectors by the encoder as it comes."""
    return encoders(Settings(), None, "e5-small").query.encode


def cache_of(encode: Encode) -> Encode:
    """The same, each text once."""
    known: dict[str, Floats] = {}

    def cached(texts: Sequence[str]) -> Floats:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, encode(new), strict=True) if new else ())
        return np.stack([known[text] for text in texts])

    return cached


def _message(prefix: str, row: dict[str, str]) -> Passage:
    parts = [int(part) for part in re.findall(r"\d+", row["time"])]
    moment = datetime(*parts[:6], tzinfo=UTC)  # type: ignore[misc,arg-type]
    title = " ".join(row["topic"].split())
    return Passage(
        id=f"{prefix}{row['message_id']}", kind=PassageKind.QUESTION, text=row["detail"], title=title, time=moment
    )


def _pairs(count: int) -> int:
    return count * (count - 1) // 2
