"""The measurements as tables for people: ratios first, since absolute figures depend on the machine."""

from collections.abc import Callable, Iterator, Sequence

from rich import box
from rich.table import Table

from bench.limit import ADDED_MS, Limit
from bench.report.result import Result
from bench.rig.gauges import Spread

_Row = tuple[str, Callable[[Result], str]]


def _ms(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f} ms"


def _percentiles(what: str, of: Callable[[Result], Spread]) -> list[_Row]:
    return [
        (f"{what}, p50", lambda result: _ms(of(result).p50)),
        ("p95", lambda result: _ms(of(result).p95)),
        ("p99", lambda result: _ms(of(result).p99)),
    ]


_FIRST_WORDS: list[_Row] = [
    *_percentiles("start to first audio", lambda r: r.start_to_first_audio),
    *_percentiles("Twilio's handshake to first audio", lambda r: r.dialled_to_first_audio),
]
_READY: _Row = ("pooled sessions taken", lambda r: f"{r.counts.sessions_stood} of {r.calls}")
_ROWS: tuple[_Row, ...] = (
    ("CPU for a second of a call", lambda r: f"{r.cpu_ms_per_call_second:.2f} ms"),
    ("the bridge's core in use", lambda r: f"{r.core_percent:.0f} %"),
    *_percentiles("added latency, phone to model", lambda r: r.phone_to_model),
    *_percentiles("added latency, model to phone", lambda r: r.model_to_phone),
    *_percentiles("speech_started to clear", lambda r: r.speech_started_to_clear),
    *_FIRST_WORDS,
    ("memory a call", lambda r: f"{r.memory_kib_per_call:.0f} KiB"),
    ("memory a further call", lambda r: f"{r.memory_kib_per_further_call:.0f} KiB"),
    ("memory without calls", lambda r: f"{r.memory_idle_mib:.0f} MiB"),
    ("sockets opened a second", lambda r: f"{r.sockets_per_second:.0f}"),
    ("writes to the table for a minute of a call", lambda r: f"{r.table_writes_per_call_minute:.0f}"),
    ("media frames sent", lambda r: f"{r.counts.frames_sent}"),
    ("of these lost", lambda r: f"{r.counts.frames_sent - r.counts.frames_arrived}"),
    *_percentiles("the rig's own lateness", lambda r: r.rig_late),
    ("the rig's core in use", lambda r: f"{r.rig_core_percent:.0f} %"),
    ("used by others, of one core", lambda r: f"{r.others_core_percent:.0f} %"),
)
_FULL_PERCENT = 92
_RATIOS: tuple[tuple[str, Callable[[Result], float | None]], ...] = (
    ("CPU for a second of a call", lambda r: r.cpu_ms_per_call_second),
    ("p99 added latency, phone to model", lambda r: r.phone_to_model.p99),
    ("p99 added latency, model to phone", lambda r: r.model_to_phone.p99),
    ("memory a further call", lambda r: r.memory_kib_per_further_call),
)


def as_tables(results: Sequence[Result], limits: Sequence[Limit]) -> Iterator[tuple[str, Table]]:
    """The tables with their titles, in Markdown, ready for the docs."""
    for (tls, away, calls), runs in _groups(results):
        title = f"{calls} calls at once, the model {'by TLS' if tls else 'in clear text'}"
        if away:
            title = f"First words, the model {away:g} ms away and back{', by TLS' if tls else ''}"
            yield title, _table(runs, (*_FIRST_WORDS, _READY))
            continue
        for other in ("floor", "forum"):
            if len(runs) > 1 and (base := next((run for run in runs if run.bridge == other), None)):
                yield f"{title}, relative to {other}", _ratios(runs, base)
        yield title, _table(runs, _ROWS)
    if limits:
        yield f"Calls on one core with a p99 under {ADDED_MS} ms each way", _limits(limits)


def _groups(results: Sequence[Result]) -> Iterator[tuple[tuple[bool, float, int], list[Result]]]:
    """Groups runs by conditions; a bridge that takes fewer calls than the others joins their group."""
    for away, tls in sorted({(result.model_away_ms, result.tls) for result in results}):
        runs = [result for result in results if (result.model_away_ms, result.tls) == (away, tls)]
        whole = sorted({run.calls for run in runs if run.bridge in ("worker", "floor")} or {run.calls for run in runs})
        for calls in whole:
            yield (tls, away, calls), [run for run in runs if run.calls == calls or run.calls not in whole]


def _table(results: Sequence[Result], rows: Sequence[_Row]) -> Table:
    table = _columns([f"{result.bridge}, {result.calls}" for result in results])
    for name, value in rows:
        table.add_row(name, *(value(result) for result in results))
    return table


def _ratios(results: Sequence[Result], base: Result) -> Table:
    table = _columns([f"{result.bridge}, {result.calls}" for result in results])
    for name, of in _RATIOS:
        table.add_row(name, *(_ratio(of(result), of(base)) for result in results))
    full = ("yes" if result.core_percent > _FULL_PERCENT else "no" for result in results)
    table.add_row("core full, so the CPU ratio is too low", *full)
    return table


def _ratio(value: float | None, base: float | None) -> str:
    return "none" if value is None or not base else f"{value / base:.2f}"


def _limits(limits: Sequence[Limit]) -> Table:
    bridges = list(dict.fromkeys(limit.bridge for limit in limits))
    table = _columns(bridges)
    for tls in (False, True):
        found = {limit.bridge: limit for limit in limits if limit.tls is tls}
        if found:
            table.add_row(
                "model by TLS" if tls else "model in clear text", *(str(found.get(name, "none")) for name in bridges)
            )
    return table


def _columns(names: Sequence[str]) -> Table:
    table = Table(box=box.MARKDOWN)
    table.add_column("", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table
