"""Metrics of an escalation: the time until people are alerted, until one accepts, and until both are connected."""

from datetime import datetime

from aws_lambda_powertools.metrics import MetricUnit

from shared.escalations.record import EscalationRecord, Status
from shared.logs import metric


def record_transition(service: str, before: EscalationRecord | None, after: EscalationRecord) -> None:
    """Writes the metrics of a record's change. Pass it, with `service` bound, to `EscalationStore` as `changed`.

    Times: `AlertedMs` from the escalation's creation, `AcceptedMs` from the alert (or from the creation if nobody was
    alerted yet), `ConnectedMs` from the acceptance. Counts: `EscalationsExpired` (people were alerted, and none
    accepted), `CallbacksPromised`, `EscalationsResolved`. Each is written when the record reaches that status.
    """
    if before is None or before.status is after.status:
        return
    created = after.escalation.created_at
    if after.status is Status.ALERTED and before.status is Status.QUEUED:
        _time(service, "AlertedMs", created, after.since(Status.ALERTED))
    elif after.status is Status.ACCEPTED:
        _time(service, "AcceptedMs", after.since(Status.ALERTED) or created, after.since(Status.ACCEPTED))
    elif after.status is Status.CONNECTED:
        _time(service, "ConnectedMs", after.since(Status.ACCEPTED), after.since(Status.CONNECTED))
    elif after.status is Status.CALLBACK and not before.callback_promised:
        metric(service, "CallbacksPromised")
        if before.status is Status.ALERTED and after.since(Status.EXPIRED):
            metric(service, "EscalationsExpired")
    elif after.status is Status.RESOLVED:
        metric(service, "EscalationsResolved")


def _time(service: str, name: str, since: datetime | None, until: datetime | None) -> None:
    if since and until:
        # Clocks of two machines differ, so the difference may be negative.
        metric(service, name, max(0.0, (until - since).total_seconds() * 1000), MetricUnit.Milliseconds)
