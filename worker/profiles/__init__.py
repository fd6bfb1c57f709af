"""Agent profiles: who answers a number, with which words, voice, tools and limits. One TOML file each."""

from worker.profiles.loading import Profiles, load_profiles
from worker.profiles.problems import Problem, ProfileError
from worker.profiles.profile import Profile
from worker.profiles.sections import Limits, RetentionRatio, SemanticVad, ServerVad, Transcription

__all__ = [
    "Limits",
    "Problem",
    "Profile",
    "ProfileError",
    "Profiles",
    "RetentionRatio",
    "SemanticVad",
    "ServerVad",
    "Transcription",
    "load_profiles",
]
