"""The demo as `make demo` runs it, from the call to the end of the conversation with a person."""

import asyncio
import sys
import wave
from pathlib import Path

import pytest

from local.stack.process import REPOSITORY
from local.stack.simulation import ON_CALL
from tests.whole_path.conftest import PATIENCE_S


@pytest.mark.timeout(200)
async def test_the_demo_passes(tmp_path: Path) -> None:
    """It exits 0, shows the conversation and the alerts, and records both sides."""
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "local.demo", str(tmp_path), cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE_S * 3):
        output, _ = await demo.communicate()
    shown = output.decode()
    assert demo.returncode == 0, shown
    assert "caller  what are the opening hours of the restaurant" in shown
    assert "(interrupted: the caller heard" in shown
    for number in ON_CALL:
        assert f"SMS to {number}: Normal urgency: call +15557654321. Caller's request: \"Asked for a person" in shown
    assert "maria   taps: Take the call" in shown
    assert "agent   Maria Lopez is joining you now." in shown
    assert "start → first audio at the phone" in shown
    assert "tap → caller and person connected" in shown
    assert shown.rstrip().endswith("Every check passed.")
    _check_recording(tmp_path / "demo.wav")


def _check_recording(path: Path) -> None:
    """Two channels, with speech on each."""
    with wave.open(str(path)) as recording:
        assert (recording.getnchannels(), recording.getframerate()) == (2, 8000)
        samples = memoryview(recording.readframes(recording.getnframes())).cast("h")
    for side in (0, 1):
        assert max(samples[side::2]) > 3000
