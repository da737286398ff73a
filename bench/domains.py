"""Other walks of life: `--domain medicine|education|city|media`, each through the same import, training and answers as a shop.

medicine: departments of questions. city: offices of messages, hot topics, replies. education: themes and tags of talks.
media: related talks by tags that no system sees, and viewers of whom three liked talks are known. `--task transfer`
(medicine, education, city): 8, 32 and 128 labels in all, as even over the classes as can be, five draws, with the encoder as
it comes and with the one that learnt relevance in the practice shop. Baselines: TF-IDF with a linear SVM, its penalty chosen
by cross-validation in each training part.
"""

from __future__ import annotations

from pathlib import Path

from bench.contract import Row
from bench.domain_classes import classes
from bench.domain_messages import hot_topics, replies
from bench.domain_talks import cold_viewers, related, tags
from bench.domain_texts import city, education, medicine
from bench.domain_transfer import transfer

SETS = {"medicine": medicine, "education": education, "city": city}


def run(
    data: Path,
    *,
    set: str = "medicine",  # noqa: A002
    task: str = "classes",
    quick: bool = False,
    seed: int = 7,
    repeats: int = 0,
) -> list[Row]:
    """Rows of a domain, or of transfer to it.

    Args:
        data: Folder of the public data sets.
        set: ``medicine``, ``education``, ``city`` or ``media``.
        task: ``classes``, or ``transfer`` for few labels.
        quick: Few texts, one repeat and seconds of training, for a smoke test.
        seed: Of the first repeat; the next ones follow.
        repeats: Splits or draws; the set's own number when 0.
    """
    if set == "media":
        return related(data, quick=quick, seed=seed) + cold_viewers(data, quick=quick, seed=seed)
    if task == "transfer":
        return transfer(SETS[set](data), quick=quick, seed=seed, repeats=repeats)
    rows = classes(SETS[set](data), quick=quick, seed=seed, repeats=repeats)
    if set == "education":
        rows += tags(data, quick=quick, seed=seed)
    if set == "city":
        rows += hot_topics(data, quick=quick) + replies(data, quick=quick)
    return rows
