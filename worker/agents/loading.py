"""Loads all agents when the worker starts."""

from pathlib import Path

from shared.agents import Agents
from shared.agents.reading import read_as
from worker.agents.agent import Agent
from worker.agents.tool_folder import ToolFolder


def load_agents(folder: Path) -> Agents[Agent]:
    """The agents of every `*.toml` in the folder, with their tools imported.

    Raises `AgentError` with all that is wrong in all the files, each with its key and what is allowed.
    """
    return read_as(Agent, folder, context=ToolFolder(folder))
