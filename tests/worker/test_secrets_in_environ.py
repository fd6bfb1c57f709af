"""The environment of tools in `python -m worker`, and of programs that they start."""

import asyncio
import json
from http import HTTPStatus
from pathlib import Path

import httpx
from websockets.asyncio.client import connect

from local.audio.recogniser import Dictated
from local.model import CallTool, Say, Scripted, SimulatedModel
from local.stack.emulator import Emulator
from local.stack.process import free_port
from tests.worker.conftest import Phone, until
from tests.worker.program import ENVIRON, worker

SECRETS = ("OPENAI_API_KEY", "TWILIO_AUTH_TOKEN", "SIGNING_KEY")

TOOL = """
import json, os, subprocess, sys
from pathlib import Path

from worker.tools import tool

FOLDER = Path(__file__).parent


def found(when):
    program = subprocess.run([sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"],
                             capture_output=True, check=True, text=True)
    file = FOLDER / when
    file.write_text(json.dumps([dict(os.environ), json.loads(program.stdout)]))
    file.rename(file.with_suffix(".json"))


found("imported")


@tool(timeout=60)
def look() -> str:
    \"\"\"Looks around.\"\"\"
    found("called")
    return "nothing"
"""


async def test_no_tool_finds_a_secret(emulator: Emulator, table: str, queue: str, tmp_path: Path) -> None:
    """Secrets are absent both at import and in a call. Other variables, such as a tool's own key, are present."""
    (tmp_path / "lookout.py").write_text(TOOL)
    (tmp_path / "default.toml").write_text('instructions = "Look."\ntools = ["lookout:look"]\n')
    port = free_port()
    environ = {
        **emulator.environ,
        "TABLE_NAME": table,
        "ESCALATION_QUEUE_URL": queue,
        "PORT": str(port),
        "AGENTS_DIR": str(tmp_path),
        "CRM_KEY": "the tool's own",
    }
    brain = Scripted(Say("Hello.", ms=300), CallTool("look"))
    async with SimulatedModel(brain=brain, recogniser=Dictated(), pace=50) as model:
        with (tmp_path / "log").open("wb") as log, worker(log, OPENAI_BASE_URL=model.url, **environ) as program:
            try:
                await until(lambda: healthy(port))
                async with connect(f"ws://127.0.0.1:{port}/media-stream", compression=None) as stream:
                    phone = await Phone(stream).start()
                    await phone.wait_for("mark")
                    await phone.hear_all()
                    await phone.speak()
                    await until((tmp_path / "called.json").exists)
            finally:
                program.terminate()
                await asyncio.to_thread(program.wait, 20)
    seen = seen_by_tools(tmp_path)
    assert len(seen) == 4
    for found in seen:
        assert not found.keys() & {*SECRETS}
        assert not {ENVIRON[name] for name in SECRETS} & set(found.values())
        assert found["CRM_KEY"] == "the tool's own"


def healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health").status_code == HTTPStatus.OK
    except httpx.TransportError:
        return False


def seen_by_tools(folder: Path) -> list[dict[str, str]]:
    """The environments of the tool and of its program."""
    return [found for file in folder.glob("*.json") for found in json.loads(file.read_text())]
