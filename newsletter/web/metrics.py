"""How things stand, for Prometheus: read off the store when asked for, nothing is counted here."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response

from newsletter.model import ListingState
from newsletter.ports import Store
from newsletter.publisher.reporting import so_far

if TYPE_CHECKING:
    from prometheus_client import Metric

MISSING = (
    "Metrics need the extra of that name: pip install 'daily-papers-newsletter[metrics]', and start"
    " the newsletter anew."
)

GOOD: frozenset[ListingState] = frozenset({"ok", "quiet", "holiday"})
"""What a source says that is not in trouble."""


def exposition(store: Store, now: datetime) -> Response:
    """The metrics in Prometheus's text format.

    Raises:
        HTTPException: the library that writes the format is not installed.
    """
    try:
        from prometheus_client import (  # noqa: PLC0415 - an extra, which need not be there
            CONTENT_TYPE_LATEST,
            CollectorRegistry,
            generate_latest,
        )
        from prometheus_client.registry import Collector  # noqa: PLC0415 - as above
    except ImportError as error:
        raise HTTPException(501, MISSING) from error

    class Standing(Collector):
        """The store's own numbers."""

        def collect(self) -> Iterator["Metric"]:
            """Every metric, as the store has it now."""
            yield from _metrics(store, now)

    registry = CollectorRegistry()
    registry.register(Standing())
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _metrics(store: Store, now: datetime) -> Iterator["Metric"]:
    yield _gauge("readers", "Readers by status.", "status", store.tally().items())
    day = next(so_far(store, now), None)
    if day is not None:
        letters = asdict(store.counts(day)).items()
        yield _gauge("letters", "Letters of the last issue by state.", "state", letters)
        waves = store.waves(day)
        if waves:
            frozen = [(day.isoformat(), _seconds(waves[-1].issue.frozen_at))]
            yield _gauge("issue_frozen_seconds", "When the last issue was frozen.", "day", frozen)
    sources = store.sources().values()
    good = [(each.name, each.state in GOOD) for each in sources]
    yield _gauge("source_ok", "Whether a source's last word was no trouble.", "source", good)
    last = [(each.name, _seconds(each.last_ok)) for each in sources if each.last_ok is not None]
    yield _gauge("source_last_ok_seconds", "When a source last answered well.", "source", last)
    seen = [(each.name, _seconds(each.seen)) for each in store.heartbeats()]
    yield _gauge("heartbeat_seconds", "When a daemon last looked at the clock.", "name", seen)


def _seconds(instant: datetime) -> float:
    """Since 1970, as Prometheus wants instants."""
    return instant.timestamp()


def _gauge(name: str, said: str, label: str, values: Iterable[tuple[str, float]]) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - as above

    gauge = GaugeMetricFamily(f"newsletter_{name}", said, labels=[label])
    for key, value in values:
        gauge.add_metric([key], value)
    return gauge
