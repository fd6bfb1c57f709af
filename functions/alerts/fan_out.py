"""The fan-out: alerts everybody at the same time. No delivery waits for another or fails because of another."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from functions.alerts.alert import Alert
from functions.alerts.channels import Channel
from functions.alerts.idempotency import SendOnce
from shared.escalations.record import SentAlert
from shared.logs import logger, metric

log = logger("alerts")

# Enough to alert most teams all at once. A long list takes a few rounds of some seconds.
THREADS = 16


@dataclass(frozen=True)
class Delivery:
    """One alert to one person over one channel. `occasion`, such as `tier 2`, tells an escalation's alerts apart."""

    person: str
    channel: Channel
    alert: Alert
    occasion: str


def alert_everybody(deliveries: Sequence[Delivery], once: SendOnce) -> tuple[SentAlert, ...]:
    """Makes each delivery that was not made before; returns all alerts accepted so far, now or before."""
    with ThreadPoolExecutor(THREADS) as threads:
        attempts = [(delivery, threads.submit(_alert, delivery, once)) for delivery in deliveries]
    accepted: list[SentAlert] = []
    for delivery, attempt in attempts:
        # A failure of one channel, even a bug of ours, does not affect the others.
        failure = attempt.exception()
        if failure is None:
            accepted.append(SentAlert(delivery.person, delivery.channel.kind, attempt.result()))
        else:
            log.error("an alert was not accepted", exc_info=failure, extra=_where(delivery))
            metric("alerts", "AlertsFailed")
    return tuple(accepted)


def _alert(delivery: Delivery, once: SendOnce) -> str:
    def send() -> str:
        accepted_as = delivery.channel.send(delivery.alert)
        log.info("an alert was accepted", extra={**_where(delivery), "accepted_as": accepted_as})
        metric("alerts", "AlertsAccepted")
        return accepted_as

    return once([delivery.alert.escalation_id, delivery.occasion, delivery.channel.key], send)


def _where(delivery: Delivery) -> dict[str, str]:
    return {
        "escalation_id": delivery.alert.escalation_id,
        "person": delivery.person,
        "channel": delivery.channel.name,
        "occasion": delivery.occasion,
    }
