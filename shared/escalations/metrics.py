"""How long an escalation's steps take, as metrics: until people are alerted, one accepts, and both hear each other."""

from datetime import datetime

from aws_lambda_powertools.metrics import MetricUnit

from shared.escalations.record import EscalationRecord, Status
from shared.logs import metric


def record_transition(service: str, before: EscalationRecord | None, after: EscalationRecord) -> None:
    """Writes the metrics of a change: what a store's `changed` is for, with the part's name filled in.

    `AlertedMs` from the escalation's creation, `AcceptedMs` from the alert (or the creation, where nobody had been
    alerted yet), `ConnectedMs` from the acceptance; `EscalationsExpired` (people were alerted, and none accepted),
    `CallbacksPromised` and `EscalationsResolved` are counted. Each is written once,
    when the record reaches that status.
    """
    if before is None or before.status is after.status:
        return
    asked = after.escalation.created_at
    if after.status is Status.ALERTED and before.status is Status.QUEUED:
        _took(service, "AlertedMs", asked, after.since(Status.ALERTED))
    elif after.status is Status.ACCEPTED:
        _took(service, "AcceptedMs", after.since(Status.ALERTED) or asked, after.since(Status.ACCEPTED))
    elif after.status is Status.CONNECTED:
        _took(service, "ConnectedMs", after.since(Status.ACCEPTED), after.since(Status.CONNECTED))
    elif after.status is Status.CALLBACK and not before.callback_promised:
        metric(service, "CallbacksPromised")
        if before.status is Status.ALERTED and after.since(Status.EXPIRED):
            metric(service, "EscalationsExpired")
    elif after.status is Status.RESOLVED:
        metric(service, "EscalationsResolved")


def _took(service: str, name: str, since: datetime | None, until: datetime | None) -> None:
    if since and until:
        # Clocks of two machines differ; nothing takes less than no time.
        metric(service, name, max(0.0, (until - since).total_seconds() * 1000), MetricUnit.Milliseconds)
