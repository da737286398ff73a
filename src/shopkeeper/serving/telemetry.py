"""What can be seen of the running shop: JSON log lines with request ids, and Prometheus figures."""

from __future__ import annotations

import logging
import logging.config
from typing import Any

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The figures of one application, in a registry of their own."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        labels = ("method", "route")
        self.requests = Counter("shopkeeper_requests", "Requests served.", (*labels, "status"), registry=registry)
        self.seconds = Histogram(
            "shopkeeper_request_seconds", "Wall time of requests.", labels, registry=registry, buckets=_BUCKETS
        )
        self.answers = Histogram(
            "shopkeeper_answer_seconds", "Wall time of tasks.", ("task",), registry=registry, buckets=_BUCKETS
        )
        self.empty = Counter("shopkeeper_empty_answers", "Answers without a hit.", ("task",), registry=registry)
        self.events = Counter("shopkeeper_events", "Events recorded, by outcome.", ("outcome",), registry=registry)
        self.impressions = Counter(
            "shopkeeper_impressions", "Impressions, by outcome.", ("outcome",), registry=registry
        )
        self.waiting = Gauge("shopkeeper_impressions_waiting", "Impressions not yet on disk.", registry=registry)
        self.items = Gauge("shopkeeper_items", "Items in the catalogue at the last look.", registry=registry)
        self.refused = Counter("shopkeeper_refused", "Requests refused at the gate.", ("why",), registry=registry)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)


def configure_logs(level: str = "INFO") -> None:
    """One JSON object per line on standard error, for our own log lines and the server's."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": shared,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
    }
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": formatter},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
            "root": {"handlers": ["stderr"], "level": "WARNING"},
            "loggers": {
                "shopkeeper": {"level": level},
                "uvicorn": {"level": "INFO", "handlers": [], "propagate": True},
                "uvicorn.access": {"level": "WARNING", "handlers": [], "propagate": True},
            },
        }
    )


def _render(_logger: object, _name: str, event: Any) -> str:
    return orjson.dumps(event, default=str).decode()
