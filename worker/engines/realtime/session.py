"""The session that an agent asks of the Realtime API, in the shape that the GA interface takes.

One wrong key and the server rejects the update as a whole; the session then stays on 24 kHz PCM and the caller hears
noise. So a session is used only when both formats have been read back.
"""

from typing import Any, Final

from worker.agents import Agent
from worker.conversation.transcript import Role
from worker.engines.realtime.events import Session
from worker.engines.realtime.turns import ToolChoice

# mu-law, 8 kHz. A `rate` beside it is refused as unknown.
_FORMAT: Final = {"type": "audio/pcmu"}

SESSION_EVENT_ID: Final = "bellhop_session"

_REMEMBERED_AS: Final[dict[Role, tuple[str, str]]] = {
    "caller": ("user", "input_text"),
    "agent": ("assistant", "output_text"),
    "tool": ("system", "input_text"),
}


def session_update(agent: Agent, tool_choice: ToolChoice) -> dict[str, Any]:
    """The first `session.update` of a call: everything that the agent settles."""
    session: dict[str, Any] = {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": agent.instructions,
        "audio": {"input": _audio_input(agent), "output": _audio_output(agent)},
        "tools": agent.definitions(),
        "tool_choice": tool_choice,
        "truncation": agent.truncation_setting(),
    }
    if agent.max_output_tokens is not None:
        session["max_output_tokens"] = agent.max_output_tokens
    if agent.reasoning_effort is not None:
        session["reasoning"] = {"effort": agent.reasoning_effort}
    return {"type": "session.update", "event_id": SESSION_EVENT_ID, "session": session}


def _audio_input(agent: Agent) -> dict[str, Any]:
    detection = agent.turn_detection.model_dump(exclude_none=True)
    if not agent.turn_detection.interrupt_response:
        # An answer may have to wait until the one before it is over, so the call asks for it itself.
        detection["create_response"] = False
    transcription = agent.transcription.model_dump(exclude_none=True) if agent.transcription else None
    noise_reduction = {"type": agent.noise_reduction} if agent.noise_reduction else None
    return {
        "format": _FORMAT,
        "turn_detection": detection,
        "transcription": transcription,
        "noise_reduction": noise_reduction,
    }


def _audio_output(agent: Agent) -> dict[str, Any]:
    return {"format": _FORMAT, "voice": agent.voice, "speed": agent.speed}


def tool_choice_update(tool_choice: ToolChoice) -> dict[str, Any]:
    """Changes the session's tool choice and nothing else; repeating `turn_detection` could abort a running response."""
    return {"type": "session.update", "session": {"type": "realtime", "tool_choice": tool_choice}}


def wrong_format(session: Session) -> str | None:
    """What is wrong with the audio formats of a session as the server reads them back; None if both are mu-law."""
    for direction, side in (("input", session.audio.input), ("output", session.audio.output)):
        if (told := side.format.type) != _FORMAT["type"]:
            return f"audio.{direction}.format is {told or 'not told'}, must be {_FORMAT['type']}"
    return None


def remember(role: Role, text: str) -> dict[str, Any]:
    """Puts something said or noted earlier into a new session. The agent's own words can come back as text only."""
    api_role, kind = _REMEMBERED_AS[role]
    item = {"type": "message", "role": api_role, "content": [{"type": kind, "text": text}]}
    return {"type": "conversation.item.create", "item": item}


def leaves_nothing_of(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether every setting of one `session.update` is settled again by another, which may leave some out."""
    return all(
        key in new
        and (not (isinstance(value, dict) and isinstance(new[key], dict)) or leaves_nothing_of(value, new[key]))
        for key, value in old.items()
    )
