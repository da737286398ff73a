"""`python -m bench NAME [args] [--data DIR] [--json FILE] [--seed N] [--quick]`; `list` explains, `report` writes the page."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from bench.contract import ROOT, Report
from bench.report import RESULTS, table, write_page

BENCHES = {
    "search-chorus": "bench.search_chorus",
    "search-practice": "bench.search_practice",
    "search-homedepot": "bench.search_homedepot",
    "search-qbqtc": "bench.search_qbqtc",
    "search-peers": "bench.search_peers",
    "click-loop": "bench.click_loop",
    "next-amazon": "bench.next_amazon",
    "next-amazon-cold": "bench.next_amazon_cold",
    "next-journey": "bench.next_journey",
    "next-peers": "bench.next_peers",
    "sessions-yoochoose": "bench.sessions_yoochoose",
    "trade-offs": "bench.trade_offs",
    "graph": "bench.graph",
    "ads-openbandit": "bench.ads_openbandit",
    "ads-bandits": "bench.ads_bandits",
    "ads-public-clicks": "bench.ads_public_clicks",
    "ads-clicks": "bench.ads_clicks",
    "ads-market": "bench.ads_market",
    "uplift-hillstrom": "bench.uplift_hillstrom",
    "guard-cards": "bench.guard_cards",
    "guard-reviews": "bench.guard_reviews",
    "guard-practice": "bench.guard_practice",
    "guard-latency": "bench.guard_latency",
    "recommend-practice": "bench.recommend_practice",
    "recommend-weeks": "bench.recommend_weeks",
    "purchase-practice": "bench.purchase_practice",
    "profile-practice": "bench.profile_practice",
    "profile-journey": "bench.profile_journey",
    "learning": "bench.learning",
    "techniques": "bench.techniques",
    "heads": "bench.heads",
    "pretraining": "bench.pretraining",
    "continual": "bench.continual",
    "distill": "bench.distill",
    "teaching": "bench.teaching",
    "robust": "bench.robust",
    "active": "bench.active",
    "few-shot": "bench.few_shot",
    "tagging": "bench.tagging",
    "throughput": "bench.throughput",
    "pictures-fashion": "bench.pictures",
    "pictures-cold": "bench.pictures_cold",
    "pictures-clips": "bench.pictures_clips",
    "assist-practice": "bench.assist_practice",
    "assist-intents": "bench.assist_intents",
    "assist-replies": "bench.assist_replies",
    "assist-slots": "bench.assist_slots",
    "assist-generator": "bench.assist_generator",
    "safety": "bench.safety",
    "writing": "bench.writing",
    "listen-finance": "bench.listen_finance",
    "listen-shop": "bench.listen_shop",
    "listen-speed": "bench.listen_speed",
    "listen-surge": "bench.listen_surges",
    "domains": "bench.domains",
    "latency": "bench.latency",
    "store": "bench.store",
}
"""Every bench: a module with ``run(data, *, quick, seed, ...) -> list[Row]`` whose docstring explains it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one bench, print its table and keep its JSON."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["list"]:
        for name, module in BENCHES.items():
            print(f"{name:20} {(importlib.import_module(module).__doc__ or '').strip().splitlines()[0]}")
        return 0
    if arguments[:1] == ["report"]:
        print(write_page())
        return 0
    options = vars(_parser().parse_args(arguments))
    name = options.pop("name")
    run = importlib.import_module(BENCHES[name]).run
    target, data = options.pop("json"), options.pop("data")
    accepted = inspect.signature(run).parameters
    unknown = [key for key, value in options.items() if key not in accepted and value not in (None, False, 7)]
    if unknown:
        print(f"bench {name} takes no {', '.join('--' + key for key in unknown)}", file=sys.stderr)
        return 2
    chosen = {key: value for key, value in options.items() if key in accepted and value is not None}
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = run(data, **chosen)
    report = Report(name, chosen, rows, _command(name, chosen), time.perf_counter() - began).to_json()
    print(table(report["rows"]))
    file = target or RESULTS / f"{'-'.join([name, *_words(chosen)])}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=BENCHES)
    parser.add_argument(
        "--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the public data sets"
    )
    parser.add_argument("--json", type=Path, help="where to write the results (default: bench/results/)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a minute or two, for a smoke test; not for quoting")
    parser.add_argument("--set", "--domain", help="which data set of the family, e.g. beauty, toys or medicine")
    parser.add_argument("--task", help="learning: which texts, e.g. banking77")
    parser.add_argument("--method", help="learning: what is changed against the task's own method, e.g. lora")
    parser.add_argument("--repeats", type=int, help="learning: seeds, draws or folds")
    return parser


def _words(chosen: dict[str, object]) -> list[str]:
    words = [str(value) for key, value in chosen.items() if key in ("set", "task", "method")]
    return (
        words
        + [key for key in ("quick",) if chosen.get(key)]
        + ([f"seed{chosen['seed']}"] if chosen.get("seed", 7) != 7 else [])
    )


def _command(name: str, chosen: dict[str, object]) -> str:
    parts = ["python -m bench", name]
    for key, value in chosen.items():
        if value is True:
            parts.append(f"--{key}")
        elif value is not False and (key, value) != ("seed", 7):
            parts.append(f"--{key} {value}")
    return " ".join(parts)


if __name__ == "__main__":
    raise SystemExit(main())
