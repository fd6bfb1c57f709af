"""Reads the agent files of a folder, and finds the agent for a called number."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from pydantic import ValidationError

from shared.agents.agent_file import AgentFile, AgentSchema
from shared.agents.problems import AgentError, Problem, problems_in
from shared.numbers.phone_numbers import called_number

DEFAULT: Final = "default.toml"
"""The agent for every number that no other agent lists."""

AgentT = TypeVar("AgentT", bound=AgentSchema[Any])


class Agents(Generic[AgentT]):
    """All agents of a deployment."""

    def __init__(self, default: AgentT, others: Iterable[AgentT] = ()) -> None:
        self.default = default
        self._all = (default, *others)
        self._by_number = {number: agent for agent in self._all for number in agent.numbers}

    @property
    def numbers(self) -> tuple[str, ...]:
        """All numbers that an agent lists."""
        return tuple(self._by_number)

    def __iter__(self) -> Iterator[AgentT]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def for_number(self, called: str | None) -> AgentT:
        """The agent of a called number, however it is written (`+1 555 123-4567`, `sip:+15551234567@host`)."""
        return self._by_number.get(called_number(called or ""), self.default)


def read_agents(folder: Path) -> Agents[AgentFile]:
    """The agents of all `*.toml` files in the folder, without their tools.

    Raises `AgentError` with all problems of all files, each with its key and what is allowed.
    """
    return read_as(AgentFile, folder)


def read_as(kind: type[AgentT], folder: Path, context: object = None) -> Agents[AgentT]:
    """As `read_agents`, with agents of this `kind`, whose validators get the `context`."""
    problems: list[Problem] = []
    agents: dict[Path, AgentT] = {}
    for file in sorted(folder.glob("*.toml")):
        try:
            agents[file] = _read(file, kind, context)
        except AgentError as error:
            problems += error.problems
    default = folder / DEFAULT
    if not default.is_file():
        problems.append(Problem(str(default), "", "is missing; it answers all numbers that no other agent lists"))
    problems += _claimed_twice(agents)
    if problems:
        raise AgentError(problems)
    return Agents(agents.pop(default), agents.values())


def _read(file: Path, kind: type[AgentT], context: object) -> AgentT:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AgentError([Problem(str(file), "", f"cannot be read as TOML: {error}")]) from error
    try:
        return kind.model_validate({"name": file.stem} | table, context=context)
    except ValidationError as error:
        raise AgentError(problems_in(str(file), error, kind)) from error


def _claimed_twice(agents: Mapping[Path, AgentSchema[Any]]) -> Iterator[Problem]:
    """Problems for numbers and names that occur twice, in one agent or in two."""
    owners: dict[tuple[str, str], Path] = {}
    for file, agent in agents.items():
        for key, value in (("name", agent.name), *(("numbers", number) for number in agent.numbers)):
            if (key, value) in owners:
                owner = owners[key, value]
                yield Problem(str(file), key, f"{value} is taken already, in {owner}; it can belong to one agent only")
            owners.setdefault((key, value), file)
