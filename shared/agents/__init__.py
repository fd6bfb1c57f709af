"""Agent files: one TOML file per agent, with its numbers, instructions, voice, tools and limits.

This package reads and checks them without importing any tool. The worker resolves the tools.
"""

from shared.agents.agent_file import AgentFile, AgentSchema
from shared.agents.problems import AgentError, Problem
from shared.agents.reading import Agents, read_agents
from shared.agents.sections import Limits, RetentionRatio, SemanticVad, ServerVad, Transcription

__all__ = [
    "AgentError",
    "AgentFile",
    "AgentSchema",
    "Agents",
    "Limits",
    "Problem",
    "RetentionRatio",
    "SemanticVad",
    "ServerVad",
    "Transcription",
    "read_agents",
]
