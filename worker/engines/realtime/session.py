"""Creates an agent's `session.update` for the Realtime API (GA).

If one key is wrong, the server rejects the whole update; the session then stays on 24 kHz PCM and the caller hears
noise. So a session is used only after the server has confirmed both audio formats.
"""

from typing import Any, Final

from worker.agents import Agent
from worker.conversation.transcript import Role
from worker.engines.realtime.events import Session
from worker.engines.realtime.turns import ToolChoice

# mu-law, 8 kHz. The API refuses a `rate` here as unknown.
_FORMAT: Final = {"type": "audio/pcmu"}

SESSION_EVENT_ID: Final = "bellhop_session"

_REMEMBERED_AS: Final[dict[Role, tuple[str, str]]] = {
    "caller": ("user", "input_text"),
    "agent": ("assistant", "output_text"),
    "tool": ("system", "input_text"),
}


def session_update(agent: Agent, tool_choice: ToolChoice) -> dict[str, Any]:
    """The first `session.update` of a call: all settings of the agent."""
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
        # An answer may have to wait for the end of the one before it, so the call requests it itself.
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
    """Changes only the session's tool choice; repeating `turn_detection` could abort a running response."""
    return {"type": "session.update", "session": {"type": "realtime", "tool_choice": tool_choice}}


def wrong_format(session: Session) -> str | None:
    """Describes a wrong audio format in a session as the server confirmed it; None if both formats are mu-law."""
    for direction, side in (("input", session.audio.input), ("output", session.audio.output)):
        if (confirmed := side.format.type) != _FORMAT["type"]:
            return f"audio.{direction}.format is {confirmed or 'missing'}, must be {_FORMAT['type']}"
    return None


def remember(role: Role, text: str) -> dict[str, Any]:
    """Adds an earlier transcript entry to a session. The API accepts the agent's own words only as text."""
    api_role, kind = _REMEMBERED_AS[role]
    item = {"type": "message", "role": api_role, "content": [{"type": kind, "text": text}]}
    return {"type": "conversation.item.create", "item": item}


def replaces_all(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether the `session.update` `new` sets every setting that `old` sets, so that nothing of `old` remains."""
    return all(
        key in new and (not (isinstance(value, dict) and isinstance(new[key], dict)) or replaces_all(value, new[key]))
        for key, value in old.items()
    )
