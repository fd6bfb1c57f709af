"""A simulated OpenAI Realtime service (the GA interface) on real sockets. Like the real one it validates strictly and
obeys `tool_choice`; tests can inject each of the real one's failures."""

from local.model.brain import Brain, CallTool, Hold, Say, Turn
from local.model.faults import Faults
from local.model.front_desk import FrontDesk
from local.model.scripted import Scripted
from local.model.server import SimulatedModel
from local.model.session import Refusal, Session

__all__ = [
    "Brain",
    "CallTool",
    "Faults",
    "FrontDesk",
    "Hold",
    "Refusal",
    "Say",
    "Scripted",
    "Session",
    "SimulatedModel",
    "Turn",
]
