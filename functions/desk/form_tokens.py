"""The token in each form of the page: whose tap it is, on which escalation, and on which version of its form.

The form of an escalation has a new version each time that the escalation changes hands or is resolved. A form of an
older version does nothing. So a second tap, a reload, or a page that lay open overnight undoes nothing that somebody
else did. Changes that mean nothing to a button, such as another tier that was alerted, make no new version.
"""

import hashlib
from itertools import pairwise

from itsdangerous import BadData, URLSafeSerializer
from pydantic import SecretStr

from shared.escalations.record import EscalationRecord, Status

HANDS = {Status.ACCEPTED: "somebody's", Status.CONNECTED: "somebody's", Status.RESOLVED: "done"}


class StaleForm(Exception):
    """The form is of another version, or of another escalation or person, or not ours at all."""


def form_version(record: EscalationRecord) -> int:
    """How often the escalation has changed hands, or a note was written on what was done."""
    hands = [HANDS.get(step.status, "nobody's") for step in record.history]
    return sum(before != after or after == "done" for before, after in pairwise(hands))


def form_token(signing_key: SecretStr, record: EscalationRecord, person: str) -> str:
    """The token of this person's forms for the escalation as it stands."""
    return _serializer(signing_key).dumps([record.escalation.escalation_id, person, form_version(record)])


def check_form(signing_key: SecretStr, token: str, record: EscalationRecord, person: str) -> None:
    """Raises StaleForm, unless the token is of just this."""
    try:
        there = _serializer(signing_key).loads(token)
    except (BadData, ValueError):  # ValueError: text that cannot be encoded, such as half of a surrogate pair
        raise StaleForm("the form is not one of ours") from None
    if there != [record.escalation.escalation_id, person, form_version(record)]:
        raise StaleForm("the form is of another time, escalation or person")


def _serializer(signing_key: SecretStr) -> URLSafeSerializer:
    # The salt keeps a token of another kind, signed with the same key, from passing for one of these.
    return URLSafeSerializer(
        signing_key.get_secret_value(),
        salt="bellhop desk form",
        signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
    )
