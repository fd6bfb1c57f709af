"""Tools found in the files beside the agent's file."""

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from local.stack.process import REPOSITORY
from shared.agents.tool_names import ToolReference
from worker.agents.tool_folder import ToolFolder

HOURS = '''
from worker.tools import tool

@tool
def opening_hours() -> str:
    """Tells when the shop is open."""
    return {hours!r}
'''


def find(folder: Path, reference: str) -> Any:
    return ToolFolder(folder).find(ToolReference.parse(reference))


def complaint(folder: Path, reference: str) -> str:
    """The error message for a refused reference."""
    with pytest.raises(ValueError) as error:  # noqa: PT011 - each test compares the whole sentence
        find(folder, reference)
    return str(error.value)


def test_a_tool_is_found_beside_the_agents_file(tmp_path: Path) -> None:
    """The reference may also name a file in a subfolder, with or without `__init__.py`."""
    (tmp_path / "shop.py").write_text(HOURS.format(hours="always"))
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "calendar.py").write_text("def book(): ...\n")
    (tmp_path / "stock").mkdir()
    (tmp_path / "stock" / "__init__.py").write_text("def count(): ...\n")
    assert find(tmp_path, "shop:opening_hours")() == "always"
    assert find(tmp_path, "tools.calendar:book").__name__ == "book"
    assert find(tmp_path, "stock:count").__name__ == "count"


def test_a_file_is_run_once(tmp_path: Path) -> None:
    """A file runs once, even if it is named several times or by different paths."""
    source = "from pathlib import Path\nPath(__file__).with_name('runs').open('a').write('1')\nx = y = 1\n"
    (tmp_path / "counter.py").write_text(source)
    find(tmp_path, "counter:x")
    find(tmp_path / "." / "nothing" / "..", "counter:y")
    assert (tmp_path / "runs").read_text() == "1"


def test_files_of_a_folder_import_each_other(tmp_path: Path) -> None:
    """One file imports types of another, and their instances can be pickled."""
    (tmp_path / "rooms.py").write_text("from dataclasses import dataclass\n@dataclass\nclass Room:\n    beds: int\n")
    (tmp_path / "desk.py").write_text(
        "from __future__ import annotations\n"
        "from . import rooms\nfrom .rooms import Room\n"
        "def book(room: Room, other: rooms.Room | None = None) -> Room: return room\n"
    )
    book = find(tmp_path, "desk:book")
    room = get_type_hints(book)["room"](beds=2)
    assert pickle.loads(pickle.dumps(room)) == room  # noqa: S301 - it was pickled here
    assert pickle.loads(pickle.dumps(book)) is book  # noqa: S301 - as above


def test_two_folders_do_not_mix(tmp_path: Path) -> None:
    """Files of the same name in two folders are two modules, each with its own neighbours."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.py").write_text(f"NAME = {name!r}\n")
        (tmp_path / name / "desk.py").write_text("from . import data\ndef where(): return data.NAME\n")
    one, two = find(tmp_path / "one", "desk:where"), find(tmp_path / "two", "desk:where")
    assert (one(), two()) == ("one", "two")
    assert one.__module__ != two.__module__
    assert find(tmp_path / "one", "desk:where") is one


def test_a_file_takes_no_other_modules_name(tmp_path: Path) -> None:
    """A file hides neither a standard module nor a library, and the folder hides no installed package of its name."""
    folder = tmp_path / "agents"
    folder.mkdir()
    for name in ("agents", "json", "twilio", "worker"):
        (folder / f"{name}.py").write_text(f"import {name} as real\ndef mine(): return real.__file__\n")
    (tmp_path / "installed" / "agents").mkdir(parents=True)
    (tmp_path / "installed" / "agents" / "__init__.py").touch()
    code = """
import json, sys
from pathlib import Path
from shared.agents.tool_names import ToolReference
from worker.agents.tool_folder import ToolFolder
folder = ToolFolder(Path(sys.argv[1]))
print(json.dumps([folder.find(ToolReference(name, "mine"))() for name in ("agents", "json", "twilio")]))
"""
    environ = {"PYTHONPATH": f"{tmp_path}:{tmp_path / 'installed'}:{REPOSITORY}"}
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, check=True, text=True, timeout=60)
    agents, standard, twilio = json.loads(done.stdout)
    assert agents == str(tmp_path / "installed" / "agents" / "__init__.py")
    assert standard == json.__file__
    assert Path(twilio).parent.name == "twilio"


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    """The error lists the existing files and suggests a similar name."""
    assert (
        complaint(tmp_path, "front_desk:x") == "there is no front_desk.py beside the agent's file; what is there: none"
    )
    (tmp_path / "front_desk.py").touch()
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "calendar.py").touch()
    assert complaint(tmp_path, "frontdesk:x") == (
        "there is no frontdesk.py beside the agent's file (did you mean 'front_desk'?); "
        "what is there: front_desk, tools.calendar"
    )
    assert complaint(tmp_path, "tools.calender:x").startswith(
        "there is no tools/calender.py beside the agent's file (did you mean 'tools.calendar'?); "
    )


@pytest.mark.parametrize("module", ["json", "worker.tools.tool"])
def test_a_module_from_elsewhere(tmp_path: Path, module: str) -> None:
    """The error says how to use a tool from elsewhere: import it in a file beside the agent's file."""
    (tmp_path / "desk.py").write_text(f"from {module} import *\n")
    path = f"{module.replace('.', '/')}.py"
    assert complaint(tmp_path, f"{module}:call") == (
        f"there is no {path} beside the agent's file; modules from elsewhere are not searched: write "
        f"`from {module} import call` into a file beside the agent's, and name that file; what is there: desk"
    )


def test_a_file_without_the_tool(tmp_path: Path) -> None:
    """The error lists the file's tools."""
    (tmp_path / "shop.py").write_text(HOURS.format(hours="always"))
    assert complaint(tmp_path, "shop:opening_hour") == (
        "shop.py has no 'opening_hour' (did you mean 'opening_hours'?); its tools are: opening_hours"
    )
    (tmp_path / "empty.py").touch()
    assert complaint(tmp_path, "empty:opening_hours") == "empty.py has no 'opening_hours'; its tools are: none"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("\nraise RuntimeError('no key')\n", "RuntimeError: no key (broken.py:2)"),
        ("import sys\nsys.exit('bye')\n", "SystemExit: bye (broken.py:2)"),
        ("import json\n\njson.loads('')\n", "JSONDecodeError: Expecting value: line 1 column 1 (char 0) (broken.py:3)"),
        ("\ndef broken(:\n", "SyntaxError: invalid syntax (broken.py:2)"),
        ("import not_there_at_all\n", "it needs the module 'not_there_at_all' (broken.py:1)"),
        ("import os.not_there\n", "it needs the module 'os.not_there' (broken.py:1)"),
        ("from .nowhere import x\n", "it needs the module 'nowhere' (broken.py:1)"),
        (
            "import rooms\n",
            "it needs the module 'rooms' (broken.py:1); for the file beside it write `from . import rooms`",
        ),
        ("from . import rooms\n\nrooms.open()\n", "ValueError: closed (rooms.py:2)"),
        ("from . import unfinished\n", "SyntaxError: '(' was never closed (unfinished.py:1)"),
        (
            'from worker.tools import tool\n@tool\ndef add(a):\n    """Adds."""\n',
            "ToolDefinitionError: tool 'add', parameter 'a': it has no type; annotate it, as in `a: str`, so that the "
            "model knows what to pass (broken.py:2)",
        ),
    ],
)
def test_a_file_that_fails(tmp_path: Path, source: str, reason: str) -> None:
    """The error has the exception's type and message, and the last line in the folder's own files."""
    (tmp_path / "rooms.py").write_text("def open():\n    raise ValueError('closed')\n")
    (tmp_path / "unfinished.py").write_text("x = (\n")
    (tmp_path / "broken.py").write_text(source)
    assert complaint(tmp_path, "broken:x") == f"broken.py cannot be imported: {reason}"
