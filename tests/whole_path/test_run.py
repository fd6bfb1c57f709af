"""`make run` as in a user's terminal: with typed calls, or with stand-ins for the real services through one port."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from local.audio.pitch import Pitches
from local.model import Say, Scripted, SimulatedModel
from local.stack.process import REPOSITORY, free_port
from local.stack.simulation import HOTEL, ON_CALL
from local.twilio import EndedBy, Person, SimulatedTwilio
from local.twilio.person import HangUp, Listen
from tests.whole_path.conftest import PATIENCE_S

Program = asyncio.subprocess.Process


@asynccontextmanager
async def _running(folder: Path, port: int, environ: Mapping[str, str]) -> AsyncIterator[Program]:
    """Runs `python -m local.run` in a separate folder; interrupts it at the end, like Ctrl-C."""
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "PORT": str(port), **environ}
    pipe = asyncio.subprocess.PIPE
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "local.run",
        cwd=folder,
        env=clean,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        preexec_fn=_accept_interrupts,
    )
    try:
        yield program
    finally:
        program.send_signal(signal.SIGINT)
        _, errors = await asyncio.wait_for(program.communicate(), PATIENCE_S)
    assert (program.returncode, errors.decode()) == (0, "")


def _accept_interrupts() -> None:
    """Restores Ctrl-C's default: background processes of a shell, such as these tests, ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


async def _shown(program: Program, text: str) -> None:
    """Waits until the program has printed a text."""
    assert program.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        while line := (await program.stdout.readline()).decode():
            if text in line:
                return
    raise AssertionError(f"the program ended without printing {text!r}")


def _type(program: Program, line: str) -> None:
    assert program.stdin is not None
    program.stdin.write(f"{line}\n".encode())


def _is_up(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=PATIENCE_S).is_success
    except httpx.TransportError:
        return False


async def test_a_typed_call_is_spoken_and_understood(tmp_path: Path) -> None:
    """Enter calls, a line is spoken and recognised, an empty line hangs up; Ctrl-C leaves nothing running."""
    port = free_port()
    async with _running(tmp_path, port, {"AGENTS_DIR": str(HOTEL)}) as program:
        await _shown(program, "Press Enter")
        assert await asyncio.to_thread(_is_up, port)
        _type(program, "")
        await _shown(program, "Harbour Hotel, good day.")
        _type(program, "What are your opening hours?")
        await _shown(program, "caller  what are your opening hours")
        await _shown(program, "opening_hours")
        _type(program, "")
        await _shown(program, "call-1.wav")
        await _shown(program, "Press Enter")
    assert not await asyncio.to_thread(_is_up, port)
    assert (tmp_path / "out" / "call-1.wav").stat().st_size


async def test_real_services_are_reached_through_one_port(tmp_path: Path) -> None:
    """With an external model and Twilio, one tunnel carries webhooks and media streams."""
    port, public_url = free_port(), "https://tunnel.example"
    tunnels = {public_url: f"http://127.0.0.1:{port}", "wss://tunnel.example": f"ws://127.0.0.1:{port}"}
    model = SimulatedModel(brain=Scripted(Say("Hello.", ms=400)), recogniser=Pitches())
    async with model, SimulatedTwilio("AC" + "1" * 32, "token", tunnels=tunnels) as twilio:
        environ = {
            "AGENTS_DIR": str(HOTEL),
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": model.url,
            "PUBLIC_URL": public_url,
            "TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
            "TWILIO_AUTH_TOKEN": "token",
            "TWILIO_API_URL": twilio.api_url,
            "ON_CALL_NUMBERS": ON_CALL[0],
            "ALERT_FROM": "+15550109999",
        }
        async with _running(tmp_path, port, environ) as program:
            await _shown(program, f"must lead to http://127.0.0.1:{port}")
            await _shown(program, f"{public_url}/incoming-call")
            report = await twilio.call(Person(Listen(), HangUp()), webhook=f"{public_url}/incoming-call")
    assert (report.ended_by, report.codes) == (EndedBy.CALLER, [])
    assert report.first_audio_ms is not None
    assert model.sessions


async def test_a_tunnel_without_credentials_is_refused_at_once(tmp_path: Path) -> None:
    """The message names the missing variables, and nothing is started."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "PUBLIC_URL": "https://tunnel.example"}
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "local.run", cwd=tmp_path, env=environ, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(program.communicate(), PATIENCE_S)
    assert program.returncode == 2
    assert "TWILIO_ACCOUNT_SID" in output.decode()
