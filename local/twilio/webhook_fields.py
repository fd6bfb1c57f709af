"""The fields that Twilio sends with every voice webhook."""

from collections.abc import Mapping

from local.twilio.report import CallReport

API_VERSION = "2010-04-01"
US_NUMBER_LENGTH = len("+15551234567")
US_PLACE = {"City": "SAN FRANCISCO", "State": "CA", "Zip": "94105", "Country": "US"}
NO_PLACE = {"City": "", "State": "", "Zip": "", "Country": ""}  # sent empty, and signed so, when Twilio knows none
INBOUND_ONLY = {"CallToken": '{"parentCallInfoToken":"simulated"}', "StirVerstat": "TN-Validation-Passed-A"}


def standard_fields(account_sid: str, call: CallReport, overrides: Mapping[str, str | None]) -> dict[str, str]:
    """The fields for a call as it is now. An override replaces or adds a field, and None leaves it out."""
    from_, to = call.from_, call.to
    fields: dict[str, str | None] = {
        "AccountSid": account_sid,
        "ApiVersion": API_VERSION,
        "CallSid": call.call_sid,
        "CallStatus": call.status,
        "Direction": call.direction,
        "From": from_,
        "Caller": from_,
        "To": to,
        "Called": to,
        "ParentCallSid": call.parent_call_sid,
        **(INBOUND_ONLY if call.direction == "inbound" else {}),
        **_places(from_, "From", "Caller"),
        **_places(to, "To", "Called"),
        **overrides,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _places(number: str, *parties: str) -> dict[str, str]:
    known = number.startswith("+1") and len(number) == US_NUMBER_LENGTH
    place = US_PLACE if known else NO_PLACE
    return {f"{party}{part}": value for party in parties for part, value in place.items()}
