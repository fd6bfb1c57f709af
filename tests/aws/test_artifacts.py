"""The artifacts that `sam build` makes: their contents, and that the real Lambda runtime client runs them."""

import base64
import importlib.util
import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from local.stack.emulator import Emulator
from local.stack.process import REPOSITORY
from shared.escalations.request import Escalation
from shared.escalations.store import EscalationStore
from shared.on_call.link import sign
from tests.lambda_runtime import FunctionFailed, LambdaRuntime
from tests.twilio_rest import TwilioRest

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TOKEN = "0123456789abcdef0123456789abcdef"
PUBLIC_URL = "https://api.example.com"
# The libraries that each function's own code needs; the others are their dependencies.
FOLDERS = {"VoiceFunction": "voice", "AlertsFunction": "alerts", "DeskFunction": "desk"}
VOICE = {
    "TWILIO_AUTH_TOKEN": TOKEN,
    "PUBLIC_URL": PUBLIC_URL,
    "STREAM_URL": "wss://worker.example.com/media-stream",
    "SIGNING_KEY": "k" * 32,
    "ESCALATION_QUEUE_URL": "http://127.0.0.1:1/queue",
    "TABLE_NAME": "table",
}
ESCALATION: dict[str, Any] = {
    "version": 1,
    "escalation_id": "CA1-1",
    "call_sid": "CA1",
    "caller": "+15550100999",
    "called": "+15550100200",
    "reason": "wants a person",
    "summary": "The caller wants to speak about a bill.",
    "urgency": "high",
    "transcript": [],
    "language": "en",
    "created_at": "2026-01-01T00:00:00Z",
}


@pytest.mark.parametrize("function", FOLDERS)
class TestContents:
    """The contents of each artifact."""

    def test_its_own_code_and_no_others(self, artifacts: Path, function: str) -> None:
        """It has the function's folder and `shared`, and no other function."""
        folder = artifacts / function
        assert {entry.name for entry in Path(folder, "functions").iterdir()} <= {FOLDERS[function], "__pycache__"}
        assert (folder / "shared" / "escalations" / "request.py").exists()
        assert not [name for name in ("agents", "worker", "local", "tests", "deploy") if (folder / name).exists()]

    def test_no_library_that_lambda_has_or_that_is_unused(self, artifacts: Path, function: str) -> None:
        """The AWS SDK is in Lambda's runtime; each of these would cost megabytes and start-up time."""
        present = {entry.name for entry in Path(artifacts, function).iterdir()}
        assert not {"boto3", "botocore", "aiohttp", "uvloop", "websockets", "pytest"} & present
        assert {"pydantic", "twilio", "aws_lambda_powertools", "itsdangerous"} <= present

    def test_every_module_has_bytecode_that_is_not_checked(self, artifacts: Path, function: str) -> None:
        """Bit 0 of the flags means that the bytecode has a hash, bit 1 that the source is checked; PEP 552."""
        sources = [path for path in Path(artifacts, function).rglob("*.py") if "-" not in path.parent.name]
        assert len(sources) > 100
        for source in sources:
            compiled = Path(importlib.util.cache_from_source(str(source)))
            assert compiled.exists(), source
            with compiled.open("rb") as bytecode:
                header = bytecode.read(8)
            assert header[:4] == importlib.util.MAGIC_NUMBER
            assert int.from_bytes(header[4:], "little") == 0b01


def test_the_voice_function_has_no_rest_client_of_twilio(artifacts: Path) -> None:
    """The client's own dependencies are left out, too."""
    folder = artifacts / "VoiceFunction"
    assert not [name for name in ("twilio/rest", "requests", "urllib3", "jwt") if (folder / name).exists()]


@pytest.mark.parametrize("function", ["AlertsFunction", "DeskFunction"])
def test_only_the_used_product_of_twilio_is_included(artifacts: Path, function: str) -> None:
    """The other products take forty megabytes."""
    products = {entry.name for entry in Path(artifacts, function, "twilio", "rest").iterdir() if entry.is_dir()}
    assert products == {"api", "__pycache__"}


def test_wheels_are_for_lambdas_platform(tmp_path: Path) -> None:
    """On every build machine, wheels are for ARM and the template's Python."""
    command = ["make", "build-VoiceFunction", f"ARTIFACTS_DIR={tmp_path}", "BYTECODE=no"]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=120)
    runtime = re.search(r"Runtime: python(\d)\.(\d+)", (REPOSITORY / "template.yaml").read_text())
    assert runtime is not None
    libraries = [library.name for library in tmp_path.rglob("*.so")]
    assert libraries
    assert not [name for name in libraries if f"cpython-{runtime[1]}{runtime[2]}-aarch64-linux" not in name]


def test_the_build_fails_without_lambdas_python(tmp_path: Path) -> None:
    """Lambda ignores bytecode of another version; only slower cold starts would show it."""
    command = ["make", "build-VoiceFunction", f"ARTIFACTS_DIR={tmp_path}", "COMPILER="]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "No Python 3.13 was found" in done.stderr


def api_event(path: str, fields: dict[str, str], signature: str) -> dict[str, Any]:
    """A POST from Twilio as an API Gateway event: payload format 2.0, the body in base64."""
    return {
        "version": "2.0",
        "routeKey": f"POST {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
            "host": "api.example.com",
            "x-twilio-signature": signature,
        },
        "requestContext": {
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "stage": "$default",
            "requestId": "request",
        },
        "body": base64.b64encode(urlencode(fields).encode()).decode(),
        "isBase64Encoded": True,
    }


def page_event(path: str) -> dict[str, Any]:
    """A browser's request for a page as an API Gateway event."""
    event = api_event(path, {}, "")
    del event["body"], event["headers"]["x-twilio-signature"], event["headers"]["content-type"]
    event["requestContext"]["http"]["method"] = "GET"
    return {**event, "routeKey": "GET /desk/{proxy+}", "isBase64Encoded": False}


def test_the_voice_function_answers_a_call(artifacts: Path, runtime: Path) -> None:
    """Twilio's request, signed with Twilio's library, is answered with TwiML; a forged one with 403."""
    fields = {
        "CallSid": "CA" + "1" * 32,
        "AccountSid": "AC" + "1" * 32,
        "From": "+15550100999",
        "To": "+15550100200",
        "CallStatus": "ringing",
        "ApiVersion": "2010-04-01",
        "Direction": "inbound",
    }
    signature = RequestValidator(TOKEN).compute_signature(f"{PUBLIC_URL}/incoming-call", fields)
    with LambdaRuntime(artifacts / "VoiceFunction", runtime, "functions.voice.app.handler", VOICE) as function:
        answer = function.invoke(api_event("/incoming-call", fields, signature))
        forged = function.invoke(api_event("/incoming-call", fields, "forged"))
        log = function.log()
    assert answer["statusCode"] == 200
    assert "<Connect" in answer["body"]
    assert VOICE["STREAM_URL"] in answer["body"]
    assert forged["statusCode"] == 403
    assert fields["From"] not in log


def test_the_alerts_function_alerts(artifacts: Path, runtime: Path, emulator: Emulator, table: str, queue: str) -> None:
    """A batch of an escalation and an invalid message: the first goes out as an SMS, the second is returned."""
    records = [
        {"messageId": identifier, "body": body, "eventSource": "aws:sqs", "receiptHandle": identifier, "attributes": {}}
        for identifier, body in (("good", json.dumps(ESCALATION)), ("poison", "not JSON"))
    ]
    with TwilioRest() as twilio:
        alerts = {
            **emulator.environ,
            "TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWILIO_API_URL": twilio.url,
            "TABLE_NAME": table,
            "REMINDER_QUEUE_URL": queue,
            "PUBLIC_URL": PUBLIC_URL,
            "SIGNING_KEY": VOICE["SIGNING_KEY"],
            "ON_CALL_NUMBERS": "+15550001111",
            "ALERT_FROM": "+15550100200",
        }
        with LambdaRuntime(artifacts / "AlertsFunction", runtime, "functions.alerts.app.handler", alerts) as function:
            answer = function.invoke({"Records": records})
        assert len(twilio.sent_to("+15550001111")) == 1
    assert answer == {"batchItemFailures": [{"itemIdentifier": "poison"}]}


def test_the_desk_shows_its_pages_and_rings_phones(
    artifacts: Path, runtime: Path, emulator: Emulator, dynamodb: "DynamoDBClient", table: str, queue: str
) -> None:
    """A link opens the page, rendered from the artifact's templates; a tap on its button makes a phone ring."""
    EscalationStore(table, dynamodb).upsert(Escalation.model_validate(ESCALATION), datetime.now(UTC))
    token = sign(SecretStr(VOICE["SIGNING_KEY"]), "CA1-1", "on-call-1")
    with TwilioRest() as twilio:
        desk = {
            **emulator.environ,
            "TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWILIO_API_URL": twilio.url,
            "TABLE_NAME": table,
            "REMINDER_QUEUE_URL": queue,
            "PUBLIC_URL": PUBLIC_URL,
            "SIGNING_KEY": VOICE["SIGNING_KEY"],
            "ON_CALL_NUMBERS": "+15550001111",
            "ALERT_FROM": "+15550100200",
        }
        with LambdaRuntime(artifacts / "DeskFunction", runtime, "functions.desk.app.handler", desk) as function:
            page = function.invoke(page_event(f"/desk/{token}"))
            form = re.search(r'name="form" value="([^"]+)"', page["body"])
            assert form is not None, page
            tapped = function.invoke(api_event(f"/desk/{token}/take", {"form": form[1]}, ""))
            log = function.log()
        assert [call["To"] for call in twilio.calls] == ["+15550001111"]
    assert page["headers"]["content-security-policy"].startswith("default-src 'none'")
    assert ESCALATION["caller"] in page["body"]
    assert (tapped["statusCode"], tapped["headers"]["location"]) == (303, f"/desk/{token}")
    assert not [secret for secret in (token, "+15550001111", ESCALATION["caller"]) if secret in log]


def test_a_library_that_is_missing_from_an_artifact_is_missing_here(artifacts: Path, runtime: Path) -> None:
    """The runtime's process does not see this environment, which has every library."""
    with (
        LambdaRuntime(artifacts / "VoiceFunction", runtime, "twilio.rest.Client", {}) as function,
        pytest.raises(FunctionFailed, match=r"Unable to import module 'twilio\.rest'"),
    ):
        function.invoke({})
