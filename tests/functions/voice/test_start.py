"""What the voice function loads when it starts, seen in a fresh interpreter."""

import subprocess
import sys

from functions.voice.app import handler

# Each of these, or something it imports, takes longer to import than answering a call takes.
TOO_SLOW = {
    "aiohttp",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.idempotency",
    "aws_xray_sdk",
    "boto3",
    "botocore.session",
    "httpx",
    "phonenumbers",
    "requests",
    "twilio.base",
    "twilio.http",
    "twilio.rest",
    "uvicorn",
}


def loaded(code: str) -> set[str]:
    """The modules that are loaded after this code has run in an environment without settings."""
    code += "\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={})
    return set(done.stdout.split())


def test_nothing_slow_is_imported() -> None:
    """Importing the handler loads no slow module and needs no setting."""
    modules = loaded("from functions.voice.app import handler")
    assert "fastapi" in modules
    assert modules & TOO_SLOW == set()


def test_nor_to_answer_a_call() -> None:
    """Answering a call loads none of them either."""
    code = """
import os
from fastapi import FastAPI
from tests.functions.voice.twilio_requests import *
os.environ.update(TABLE_NAME="t", TWILIO_AUTH_TOKEN=AUTH_TOKEN, PUBLIC_URL=PUBLIC_URL, STREAM_URL=STREAM_URL,
                  SIGNING_KEY=SIGNING_KEY, ESCALATION_QUEUE_URL="q")
from functions.voice.app import handler
request = event("/incoming-call", CALL)
request["headers"]["x-twilio-signature"] = signature(PUBLIC_URL + "/incoming-call", CALL)
answer = handler(request, None)
assert "<Connect" in answer["body"], answer
"""
    assert loaded(code) & TOO_SLOW == set()


def test_phone_numbers_are_not_looked_at() -> None:
    """A dropped call is escalated without the library of phone numbers, which this function's package does not have."""
    modules = loaded("import functions.voice.dropped_call, shared.escalations.store, shared.numbers.phone_numbers")
    assert "shared.escalations.record" in modules
    assert "phonenumbers" not in modules


def test_no_lifespan() -> None:
    """Mangum would start and stop the app's lifespan at each request, and the app has none."""
    assert handler.lifespan == "off"
