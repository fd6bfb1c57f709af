"""Measures each function's cold start on this machine, and its artifact's size: `make cold-start`.

A cold start is the time from the start of a fresh process of the real Lambda runtime client to its first answer. Lambda
itself adds the time that it takes to fetch the zip and to start a machine. Read the numbers as ratios.
"""

import resource
import statistics
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from twilio.request_validator import RequestValidator

from tests.aws.conftest import RUNNING, sam_build
from tests.aws.test_artifacts import PUBLIC_URL, TOKEN, VOICE, api_event, page_event
from tests.lambda_runtime import LambdaRuntime, runtime_folder

RUNS = 15
FIELDS = {"CallSid": "CA" + "1" * 32, "From": "+15550100999", "To": "+15550100200", "CallStatus": "ringing"}
SIGNATURE = RequestValidator(TOKEN).compute_signature(f"{PUBLIC_URL}/incoming-call", FIELDS)
EVENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "VoiceFunction": ("functions.voice.app.handler", api_event("/incoming-call", FIELDS, SIGNATURE)),
    # A message that is no escalation: all is imported, and neither the table nor Twilio is asked.
    "AlertsFunction": ("functions.alerts.app.handler", {"Records": [{"messageId": "1", "body": "?"}]}),
    # A link that is none: the page says so, and again nobody is asked.
    "DeskFunction": ("functions.desk.app.handler", page_event("/desk/none")),
}
ENVIRON = {
    **VOICE,
    "TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
    "ON_CALL_NUMBERS": "+15550001111",
    "ALERT_FROM": "+15550100200",
    "LADDER_QUEUE_URL": "http://127.0.0.1:1/ladder",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}


def measure(artifact: Path, runtime: Path) -> str:
    """Medians over fresh processes: start to first answer, its processor time, and the answer to a second event.

    The processor's time is the one to compare by when other programs run beside this one.
    """
    handler, event = EVENTS[artifact.name]
    cold, processor, warm = [], [], []
    for _ in range(RUNS):
        used, started = _used_by_children(), time.perf_counter()
        with LambdaRuntime(artifact, runtime, handler, ENVIRON) as function:
            function.invoke(event)
            answered = time.perf_counter()
            function.invoke(event)
            warm.append(time.perf_counter() - answered)
        cold.append(answered - started)
        processor.append(_used_by_children() - used)
    of = {"cold": cold, "of which processor": processor, "warm": warm}
    return "   ".join(f"{name} {statistics.median(seconds) * 1000:.0f} ms" for name, seconds in of.items())


def _used_by_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def zipped(folder: Path) -> float:
    """The size of the zip that goes to Lambda, in MB."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in folder.rglob("*"):
                archive.write(path, path.relative_to(folder))
        return file.tell() / 1e6


def main() -> None:
    """Builds, measures, prints a table."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        (root / "runtime").mkdir()
        runtime = runtime_folder(root / "runtime")
        print(f"Python {RUNNING} on this machine, medians of {RUNS}")
        for bytecode in ("yes", "no"):
            built = sam_build(root / bytecode, LAMBDA_PLATFORM="native", LAMBDA_PYTHON=RUNNING, BYTECODE=bytecode)
            for function in EVENTS:
                print(f"{function:15} bytecode {bytecode:4} {measure(built / function, runtime)}")
        for_lambda = sam_build(root / "lambda")
        for function in EVENTS:
            megabytes = sum(path.stat().st_size for path in (for_lambda / function).rglob("*")) / 1e6
            print(
                f"{function:15} for Lambda: {zipped(for_lambda / function):.1f} MB zipped, {megabytes:.1f} MB unpacked"
            )


if __name__ == "__main__":
    main()
