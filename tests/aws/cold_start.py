"""Measures each function's time to its first answer on this machine, compared with a typical function.

`make cold-start` prints a table and writes all data to out/cold_start.json. A first answer is timed from the start of a
fresh process of the real Lambda runtime client. Lambda also has to fetch the zip and to start a machine, and its
processor differs: read the numbers as ratios. The functions take turns, so that other load slows all of them down;
`sudo chrt -r 1 make cold-start` gives them priority.
"""

import json
import os
import resource
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table
from twilio.request_validator import RequestValidator

from bench.report.report import Setting
from local.stack.process import REPOSITORY
from tests.aws.conftest import RUNNING, make_forum_function, sam_build
from tests.aws.test_artifacts import PUBLIC_URL, TOKEN, VOICE, api_event, page_event
from tests.lambda_runtime import LambdaRuntime, imports, runtime_folder

ROUNDS: Final = 15
COLUMNS: Final = (
    "first answer",
    "of the forum's",
    "processor",
    "of the forum's",
    "next answer",
    "modules",
    "zipped",
    "unpacked",
)
OUT: Final = REPOSITORY / "out" / "cold_start.json"
FIELDS: Final = {"CallSid": "CA" + "1" * 32, "From": "+15550100999", "To": "+15550100200", "CallStatus": "ringing"}
CALL: Final = api_event(
    "/incoming-call", FIELDS, RequestValidator(TOKEN).compute_signature(f"{PUBLIC_URL}/incoming-call", FIELDS)
)
ENVIRON: Final = {
    **VOICE,
    "TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
    "ON_CALL_NUMBERS": "+15550001111",
    "ALERT_FROM": "+15550100200",
    "REMINDER_QUEUE_URL": "http://127.0.0.1:1/reminders",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}


@dataclass(frozen=True)
class Function:
    """A built function: for this machine, to run it, and for Lambda, to measure its size."""

    artifact: Path
    for_lambda: Path
    handler: str
    event: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """Times of one process in ms: from its start to its first answer, for the next answer, and of the processor."""

    first: float
    processor: float
    next: float


@dataclass(frozen=True)
class Size:
    """The size in MB that Lambda fetches, and the number of modules imported up to the first answer."""

    zipped: float
    unpacked: float
    modules: int


def functions(folder: Path) -> dict[str, Function]:
    """Builds all functions; the others are compared with the forum's."""
    here = {"LAMBDA_PLATFORM": "native", "LAMBDA_PYTHON": RUNNING}
    compiled = sam_build(folder / "here", **here), sam_build(folder / "lambda")
    plain = (
        sam_build(folder / "plain-here", **here, BYTECODE="no"),
        sam_build(folder / "plain-lambda", BYTECODE="no"),
    )
    forum = make_forum_function(folder / "forum-here", **here), make_forum_function(folder / "forum-lambda")

    def ours(name: str, event: Mapping[str, Any], built: tuple[Path, Path] = compiled) -> Function:
        artifact, for_lambda = (each / f"{name.capitalize()}Function" for each in built)
        return Function(artifact, for_lambda, f"functions.{name}.app.handler", event)

    return {
        "forum": Function(*forum, "forum_function.handler", CALL),
        "voice": ours("voice", CALL),
        "voice, without bytecode": ours("voice", CALL, plain),
        # An invalid message and an invalid link: everything is imported, and no other service is called.
        "alerts": ours("alerts", {"Records": [{"messageId": "1", "body": "?"}]}),
        "desk": ours("desk", page_event("/desk/none")),
    }


def measure(function: Function, runtime: Path) -> Answer:
    """Starts the function once, and invokes it twice."""
    used, started = _used_by_children(), time.perf_counter()
    with LambdaRuntime(function.artifact, runtime, function.handler, ENVIRON) as process:
        process.invoke(function.event)
        answered = time.perf_counter()
        process.invoke(function.event)
        again = time.perf_counter()
    times = answered - started, _used_by_children() - used, again - answered
    return Answer(*(seconds * 1000 for seconds in times))


def size(function: Function, runtime: Path) -> Size:
    """Returns the function's size and the number of its imports."""
    unpacked = sum(path.stat().st_size for path in function.for_lambda.rglob("*")) / 1e6
    modules = imports(function.artifact, runtime, function.handler, ENVIRON, function.event)
    return Size(zipped(function.for_lambda), unpacked, len(modules))


def zipped(folder: Path) -> float:
    """Returns the size of a folder's zip, in MB."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in folder.rglob("*"):
                archive.write(path, path.relative_to(folder))
        return file.tell() / 1e6


def table(answers: Mapping[str, Sequence[Answer]], sizes: Mapping[str, Size]) -> Table:
    """Returns the medians of all rounds, and of each round's ratio to the forum's function."""
    made = Table(box=MARKDOWN)
    made.add_column("function")
    for column in COLUMNS:
        made.add_column(column, justify="right")
    for name, own in answers.items():
        pairs = list(zip(own, answers["forum"], strict=True))
        made.add_row(
            name,
            f"{median(each.first for each in own):.0f} ms",
            f"{median(each.first / forum.first for each, forum in pairs):.2f}",
            f"{median(each.processor for each in own):.0f} ms",
            f"{median(each.processor / forum.processor for each, forum in pairs):.2f}",
            f"{median(each.next for each in own):.0f} ms",
            str(sizes[name].modules),
            f"{sizes[name].zipped:.1f} MB",
            f"{sizes[name].unpacked:.1f} MB",
        )
    return made


def _used_by_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Builds, measures, prints the table."""
    setting = Setting.here("make cold-start")
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        (root / "runtime").mkdir()
        runtime = runtime_folder(root / "runtime")
        built = functions(root)
        sizes = {name: size(function, runtime) for name, function in built.items()}
        rounds = [{name: measure(function, runtime) for name, function in built.items()} for _ in range(ROUNDS)]
    answers = {name: [each[name] for each in rounds] for name in built}
    console = Console(width=None if os.isatty(1) else 140)
    console.print(f"{setting}; medians of {ROUNDS} rounds", style="dim")
    console.print(table(answers, sizes))
    OUT.parent.mkdir(exist_ok=True)
    measured = {
        name: {"size": asdict(sizes[name]), "answers": [asdict(each) for each in answers[name]]} for name in built
    }
    OUT.write_text(json.dumps({"setting": asdict(setting), "functions": measured}, indent=2) + "\n")


if __name__ == "__main__":
    main()
