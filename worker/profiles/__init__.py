"""Agents with their tools, ready for calls."""

from worker.profiles.loading import load_profiles
from worker.profiles.profile import Profile

__all__ = ["Profile", "load_profiles"]
