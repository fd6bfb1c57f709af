"""Agents' files: who answers a number, with which words, voice, tools and limits. One TOML file for each agent.

Here they are read and checked without importing any tool. The worker resolves the tools.
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
