"""What the alerts function loads when it starts, seen in a fresh interpreter."""

from tests.functions.voice.test_start import loaded


def test_phone_numbers_are_not_looked_at_yet() -> None:
    """The first alert loads the library of phone numbers; a reminder with nothing to do does not."""
    modules = loaded("from functions.alerts.app import handler")
    assert "functions.alerts.escalation_policy" in modules
    assert "phonenumbers" not in modules
