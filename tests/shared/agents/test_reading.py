"""Agents read from the files of a folder, and the agent for a called number."""

from pathlib import Path

import pytest

from shared.agents import AgentError, read_agents

PLAIN = 'instructions = "Be kind."\n'
ALLOWED_TOOLS = (
    'allowed: escalate_to_human, end_call, or "file:function" for a function in a file beside this one: '
    '"front_desk:opening_hours" is in front_desk.py, "tools.calendar:book" in tools/calendar.py'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with nothing but a default agent."""
    (tmp_path / "default.toml").write_text(PLAIN)
    return tmp_path


def problems(folder: Path) -> list[str]:
    """The problems of the files in a folder, without the folder's name."""
    with pytest.raises(AgentError) as error:
        read_agents(folder)
    lines = str(error.value).splitlines()
    assert lines[0] == "the agents cannot be used:"
    return [line.strip().replace(f"{folder}/", "") for line in lines[1:]]


def test_the_called_number_chooses_the_agent(folder: Path) -> None:
    """However Twilio or a SIP trunk writes it; every other number gets the default agent."""
    (folder / "sales.toml").write_text(PLAIN + 'numbers = ["+12025550143", "+442079460000"]')
    agents = read_agents(folder)
    for called in (
        "+12025550143",
        "+1 (202) 555-0143",
        "12025550143",
        "sip:+442079460000@trunk.example;x=1",
        "tel:+442079460000",
    ):
        assert agents.for_number(called).name == "sales"
    for other in ("+12025550144", "", None, "anonymous"):
        assert agents.for_number(other) is agents.default
    assert [agent.name for agent in agents] == ["default", "sales"]
    assert (len(agents), agents.numbers) == (2, ("+12025550143", "+442079460000"))


def test_an_agent_may_have_a_name_of_its_own(folder: Path) -> None:
    """The default is the file's name."""
    (folder / "default.toml").write_text(PLAIN + 'name = "Front desk"')
    assert read_agents(folder).default.name == "Front desk"


def test_every_problem_of_every_file_is_reported_at_once(folder: Path) -> None:
    """One start of the worker shows all problems."""
    (folder / "one.toml").write_text("""
        instructions = "Be kind."
        numbrs = ["+12025550143"]
        threshold = 0.4
        voice = "merin"
        speed = 3
        reasoning_effort = "lots"
        tools = ["end_cal", "front_desk:opening_hours", "desk/hours.py:today"]
        tool_choice = "opening_hours"
        truncation = "never"
        [turn_detection]
        type = "semantic_vad"
        threshold = 0.5
        [limits]
        silence = 3
        greeting = "Hello"
    """)
    (folder / "two.toml").write_text("""
        turn_detection = "server_vad"
        limits = 3
        [truncation]
        retention_ratio = 2
    """)
    assert problems(folder) == [
        "one.toml: voice: there is no voice 'merin' (did you mean 'marin'?); allowed: marin, cedar, alloy, ash, "
        'ballad, coral, echo, sage, shimmer, verse, or a voice of your own as {id = "voice_..."}',
        "one.toml: speed: is 3; input should be less than or equal to 1.5",
        "one.toml: reasoning_effort: is 'lots'; allowed: 'minimal', 'low', 'medium', 'high' or 'xhigh'",
        f"one.toml: tools[0]: 'end_cal' names no tool (did you mean 'end_call'?); {ALLOWED_TOOLS}",
        f"one.toml: tools[2]: 'desk/hours.py:today' names no tool (did you mean 'desk.hours:today'?); {ALLOWED_TOOLS}",
        "one.toml: turn_detection.threshold: is not allowed here; it belongs to type = 'server_vad'; "
        "allowed: type, eagerness, create_response, interrupt_response",
        "one.toml: truncation: is 'never'; allowed: 'auto' or 'disabled'",
        "one.toml: limits.silence: is not allowed (did you mean 'silence_s'?); "
        "allowed: max_call_s, warn_before_end_s, silence_s, silence_questions, max_silent_responses",
        "one.toml: limits.greeting: is not allowed in the table [limits]; write it above the first table; "
        "allowed: max_call_s, warn_before_end_s, silence_s, silence_questions, max_silent_responses",
        "one.toml: numbrs: is not allowed (did you mean 'numbers'?); allowed: name, numbers, language, instructions, "
        "greeting, model, voice, speed, reasoning_effort, noise_reduction, max_output_tokens, tools, tool_choice, "
        "transcription, turn_detection, truncation, limits",
        "one.toml: threshold: is not allowed here; it belongs in the table [turn_detection]; allowed: name, numbers, "
        "language, instructions, greeting, model, voice, speed, reasoning_effort, noise_reduction, max_output_tokens, "
        "tools, tool_choice, transcription, turn_detection, truncation, limits",
        "two.toml: instructions: is missing",
        "two.toml: turn_detection: is 'server_vad'; allowed: a table, with a line of its own for each setting",
        "two.toml: truncation.retention_ratio: is 2; input should be less than or equal to 1",
        "two.toml: limits: is 3; allowed: a table, with a line of its own for each setting",
    ]


def test_an_unknown_turn_detection_is_reported_by_its_type(folder: Path) -> None:
    """The problem names the key `type`, not the whole table."""
    (folder / "one.toml").write_text(PLAIN + '[turn_detection]\ntype = "client_vad"')
    assert problems(folder) == ["one.toml: turn_detection.type: is 'client_vad'; allowed: 'server_vad', 'semantic_vad'"]


def test_a_file_that_is_no_toml_is_reported_with_its_line(folder: Path) -> None:
    """The other files are checked as well."""
    (folder / "one.toml").write_text('voice = "marin"\ninstructions = Be kind\n')
    (folder / "two.toml").write_bytes(b'instructions = "\xff"')
    first, second = problems(folder)
    assert first.startswith("one.toml: cannot be read as TOML: ")
    assert "line 2" in first
    assert second.startswith("two.toml: cannot be read as TOML: ")


def test_a_missing_default_is_reported(tmp_path: Path) -> None:
    """Also for a folder that does not exist."""
    reason = "default.toml: is missing; it answers all numbers that no other agent lists"
    assert problems(tmp_path) == [reason]
    assert problems(tmp_path / "nowhere") == [reason]


def test_numbers_and_names_belong_to_one_agent(folder: Path) -> None:
    """A number or name that occurs twice is a problem."""
    (folder / "one.toml").write_text(PLAIN + 'numbers = ["+12025550143", "+12025550143"]')
    (folder / "two.toml").write_text(PLAIN + 'name = "default"\nnumbers = ["+12025550143"]')
    assert problems(folder) == [
        "one.toml: numbers: +12025550143 is taken already, in one.toml; it can belong to one agent only",
        "two.toml: name: default is taken already, in default.toml; it can belong to one agent only",
        "two.toml: numbers: +12025550143 is taken already, in one.toml; it can belong to one agent only",
    ]
