"""Logs and metrics of every part: JSON lines on stdout, metrics in CloudWatch's embedded metric format.

The level comes from `LOG_LEVEL` (default INFO). What callers say is logged at DEBUG only. Phone numbers are masked in
every line, also in the text of exceptions.
"""

import json
from collections.abc import Iterable
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit, single_metric

from shared.numbers.phone_numbers import mask_all

NAMESPACE = "Bellhop"


def _line(record: dict[str, Any]) -> str:
    # JSON's own escapes never put a "+" before seven digits, so masking the finished line is safe.
    return mask_all(json.dumps(record, default=str, ensure_ascii=False))


def logger(service: str) -> Logger:
    """The logger of one part (`voice`, `alerts`, `worker`); the same one each time."""
    return Logger(service=service, json_serializer=_line)


def metric(service: str, name: str, value: float = 1, unit: MetricUnit = MetricUnit.Count) -> None:
    """Writes one metric of a part as one log line, which CloudWatch reads without an agent.

    Nothing is buffered, so it may be called from any task or thread.
    """
    with single_metric(name, unit, value, namespace=NAMESPACE, default_dimensions={"service": service}):
        pass


def emit_timings(service: str, measured: Iterable[tuple[str, float]], **dimensions: str) -> None:
    """Writes durations in ms, each with its metric's name, in one line for up to 100 values of a name.

    CloudWatch gets each value twice: for the part as a whole, and for these dimensions, whose values must be ASCII.
    """
    metrics = EphemeralMetrics(namespace=NAMESPACE)
    named = {name: value.encode("ascii", "backslashreplace").decode() for name, value in dimensions.items()}
    metrics.add_dimension("service", service)
    metrics.add_dimensions(service=service, **named)
    for name, ms in measured:
        metrics.add_metric(name, MetricUnit.Milliseconds, ms)
    if metrics.metric_set:
        metrics.flush_metrics()
