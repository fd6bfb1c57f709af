"""Counts what a cold start of the voice function loads while a caller hears the phone ring.

`make cold-start` measures how long it takes.
"""

from pathlib import Path

import pytest

from tests.aws.cold_start import CALL, ENVIRON, zipped
from tests.aws.conftest import RUNNING, make_forum_function
from tests.lambda_runtime import LambdaRuntime, imports

MODULES = 540  # a few more than today, since the number depends on the version of Python
ZIPPED_MB = 8.0
NOT_FOR_A_CALL = (
    "boto3",
    "botocore.session",
    "requests",
    "urllib3",
    "aiohttp",
    "jwt",
    "twilio.rest",
    "jinja2",
)


@pytest.fixture(scope="session")
def forum_function(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The function that the voice function is compared with."""
    folder = tmp_path_factory.mktemp("forum") / "function"
    return make_forum_function(folder, LAMBDA_PLATFORM="native", LAMBDA_PYTHON=RUNNING)


def test_a_call_imports_only_what_it_needs(artifacts: Path, runtime: Path) -> None:
    """Up to its first answer it imports no SDK, no REST client of Twilio, and no more modules than today."""
    imported = imports(artifacts / "VoiceFunction", runtime, "functions.voice.app.handler", ENVIRON, CALL)
    assert "functions.voice.twiml" in imported
    assert not [name for name in imported if name.startswith(NOT_FOR_A_CALL)]
    assert len(imported) <= MODULES


def test_the_artifact_stays_small(artifacts: Path) -> None:
    """Lambda fetches the zip before it starts the function."""
    assert zipped(artifacts / "VoiceFunction") <= ZIPPED_MB


def test_the_compared_function_answers(forum_function: Path, runtime: Path) -> None:
    """It answers the call, has the usual libraries in full, and has no bytecode."""
    assert not list(forum_function.rglob("*.pyc"))
    with LambdaRuntime(forum_function, runtime, "forum_function.handler", ENVIRON) as function:
        answer = function.invoke(CALL)
    assert answer["statusCode"] == 200
    assert ENVIRON["STREAM_URL"] in answer["body"]
    imported = imports(forum_function, runtime, "forum_function.handler", ENVIRON, CALL)
    assert {"boto3", "twilio.rest", "aws_xray_sdk", "fastapi", "mangum"} <= set(imported)
