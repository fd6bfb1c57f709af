"""Agents with their tools, ready for calls."""

from worker.agents.agent import Agent
from worker.agents.loading import load_agents

__all__ = ["Agent", "load_agents"]
