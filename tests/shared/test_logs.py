"""Log lines and metrics, as a child process writes them."""

import json
import subprocess
import sys
from typing import Any

PREAMBLE = "from shared.logs import logger, metric, emit_timings\n"


def lines_of(code: str, **environ: str) -> list[dict[str, Any]]:
    """What the code writes to its stdout, line by line."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + code], capture_output=True, text=True, check=True, env=environ
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_line() -> None:
    """One JSON object per line, with the part that wrote it and the extra fields."""
    (line,) = lines_of("logger('voice').info('a call', extra={'call_sid': 'CA1'})")
    assert (line["level"], line["service"], line["message"], line["call_sid"]) == ("INFO", "voice", "a call", "CA1")


def test_numbers_are_masked_wherever_they_are() -> None:
    """In the message, in extra fields, and in the text and traceback of an exception."""
    (line,) = lines_of(
        "try: raise ValueError(\"'To' +15551234567\")\n"
        "except ValueError: logger('voice').exception('from +15551234567', extra={'caller': '+15551234567'})"
    )
    assert "15551234567" not in json.dumps(line)
    assert (line["message"], line["caller"]) == ("from +1********67", "+1********67")
    assert line["exception_name"] == "ValueError"


def test_the_level_is_a_setting() -> None:
    """`LOG_LEVEL` sets it; the default is INFO."""
    code = "log = logger('voice')\nlog.debug('words'); log.warning('trouble')"
    assert [line["message"] for line in lines_of(code)] == ["trouble"]
    assert [line["message"] for line in lines_of(code, LOG_LEVEL="DEBUG")] == ["words", "trouble"]
    assert lines_of(code, LOG_LEVEL="ERROR") == []


def test_a_metric() -> None:
    """A line in CloudWatch's embedded metric format, in our namespace, with the part as its dimension."""
    (line,) = lines_of("metric('alerts', 'AlertsAccepted', 2)")
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Bellhop"
    assert directive["Dimensions"] == [["service"]]
    assert directive["Metrics"] == [{"Name": "AlertsAccepted", "Unit": "Count"}]
    assert (line["service"], line["AlertsAccepted"]) == ("alerts", [2.0])


def test_times() -> None:
    """All in one line, for the part as a whole and by the further dimensions."""
    (line,) = lines_of("emit_timings('worker', [('AMs', 5), ('BMs', 7), ('AMs', 6.5)], agent='Überlingen', model='m')")
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Bellhop"
    assert directive["Dimensions"] == [["service"], ["service", "agent", "model"]]
    assert directive["Metrics"] == [{"Name": name, "Unit": "Milliseconds"} for name in ("AMs", "BMs")]
    assert (line["AMs"], line["BMs"]) == ([5.0, 6.5], [7.0])
    assert (line["service"], line["agent"], line["model"]) == ("worker", "\\xdcberlingen", "m")


def test_as_many_times_as_a_line_takes() -> None:
    """CloudWatch reads 100 values of a name per line; more values need more lines, and no values no line."""
    lines = lines_of("emit_timings('worker', [('AMs', ms) for ms in range(150)], model='m')")
    assert [len(line["AMs"]) for line in lines] == [100, 50]
    assert all(line["model"] == "m" for line in lines)
    (line,) = lines_of("emit_timings('worker', [('AMs', 1)] * 100, model='m')")
    assert len(line["AMs"]) == 100
    assert lines_of("emit_timings('worker', [], model='m')") == []
