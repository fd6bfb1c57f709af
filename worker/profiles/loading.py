"""Loads all agents when the worker starts."""

from pathlib import Path

from shared.agents import Agents
from shared.agents.reading import read_as
from worker.profiles.profile import Profile
from worker.profiles.tool_folder import ToolFolder


def load_profiles(folder: Path) -> Agents[Profile]:
    """The agents of every `*.toml` in the folder, with their tools imported.

    Raises `AgentError` with all that is wrong in all the files, each with its key and what is allowed.
    """
    return read_as(Profile, folder, context=ToolFolder(folder))
