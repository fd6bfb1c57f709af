"""A simulated OpenAI Realtime service (the GA interface) on real sockets: as strict as the real one, as obedient to
`tool_choice`, and able to fail in each way in which that one fails."""

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
