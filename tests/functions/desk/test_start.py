"""What the desk loads when it starts, and to answer Twilio, seen in a fresh interpreter."""

from tests.functions.voice.test_start import loaded

# Slow imports, for which a person on the phone would wait. Twilio's REST client is needed only for taps and failures.
TOO_SLOW = {"aiohttp", "boto3", "httpx", "phonenumbers", "requests", "twilio.rest", "uvicorn"}


def test_nothing_slow_is_imported() -> None:
    """Importing the handler loads none of them and needs no setting."""
    modules = loaded("from functions.desk.app import handler")
    assert "jinja2" in modules
    assert modules & TOO_SLOW == set()
