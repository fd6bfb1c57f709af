"""The fan-out: one alert to everybody at the same time, where no way of sending waits for another or fails with it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from functions.alerts.alert import Alert
from functions.alerts.channels import Channel
from functions.alerts.once import Once
from shared.logs import logger, metric

log = logger("alerts")

# All at once for most teams; a long list takes a few rounds of some seconds.
THREADS = 16


def alert_everybody(alert: Alert, channels: Sequence[Channel], once: Once) -> int:
    """Sends the alert over every channel that has not had it yet; returns how many have it now."""
    with ThreadPoolExecutor(THREADS) as threads:
        attempts = [(channel, threads.submit(_alert, alert, channel, once)) for channel in channels]
    accepted = 0
    for channel, attempt in attempts:
        # Whatever went wrong on one channel, a mistake of ours included, the others count by themselves.
        failure = attempt.exception()
        if failure is None:
            accepted += 1
        else:
            where = {"escalation_id": alert.escalation_id, "channel": channel.name}
            log.error("an alert was not accepted", exc_info=failure, extra=where)
            metric("alerts", "AlertsFailed")
    return accepted


def _alert(alert: Alert, channel: Channel, once: Once) -> None:
    def send() -> str:
        accepted_as = channel.send(alert)
        where = {"escalation_id": alert.escalation_id, "channel": channel.name, "accepted_as": accepted_as}
        log.info("an alert was accepted", extra=where)
        metric("alerts", "AlertsAccepted")
        return accepted_as

    once([alert.escalation_id, channel.key], send)
