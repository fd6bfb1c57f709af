"""The token in each form of the page: the person, the escalation, and the version of its form.

The form version goes up each time the escalation is assigned, unassigned or resolved. A form of an older version does
nothing. So a second tap, a reload, or a page that was left open overnight cannot undo what somebody else did. Changes
that do not matter for a button, such as another tier being alerted, keep the version.
"""

import hashlib
from itertools import pairwise

from itsdangerous import BadData, URLSafeSerializer
from pydantic import SecretStr

from shared.escalations.record import EscalationRecord, Status

ASSIGNMENTS = {Status.ACCEPTED: "assigned", Status.CONNECTED: "assigned", Status.RESOLVED: "resolved"}


class StaleForm(Exception):
    """The form is of another version, escalation or person, or is not one of ours."""


def form_version(record: EscalationRecord) -> int:
    """How often the escalation was assigned, unassigned or resolved; each note on a resolved one counts, too."""
    assignments = [ASSIGNMENTS.get(entry.status, "unassigned") for entry in record.history]
    return sum(before != after or after == "resolved" for before, after in pairwise(assignments))


def form_token(signing_key: SecretStr, record: EscalationRecord, person: str) -> str:
    """The token of this person's forms for the escalation at its current version."""
    return _serializer(signing_key).dumps([record.escalation.escalation_id, person, form_version(record)])


def check_form(signing_key: SecretStr, token: str, record: EscalationRecord, person: str) -> None:
    """Raises StaleForm unless the token is for this person, this escalation and its current version."""
    try:
        there = _serializer(signing_key).loads(token)
    except (BadData, ValueError):  # ValueError: text that cannot be encoded, such as half of a surrogate pair
        raise StaleForm("the form is not one of ours") from None
    if there != [record.escalation.escalation_id, person, form_version(record)]:
        raise StaleForm("the form is of another version, escalation or person")


def _serializer(signing_key: SecretStr) -> URLSafeSerializer:
    # Because of the salt, another kind of token that is signed with the same key is not valid here.
    return URLSafeSerializer(
        signing_key.get_secret_value(),
        salt="bellhop desk form",
        signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
    )
