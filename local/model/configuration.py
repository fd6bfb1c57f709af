"""The configuration of one session: its defaults, its updates, and the rules about more than one key. An update is
applied completely or refused completely."""

import copy
import time
from typing import Any

from local.model.ids import new_id
from local.model.refusals import Refused, invalid
from local.model.tool_schemas import check_tools

REASONING_MODELS = ("gpt-realtime-2.1", "gpt-realtime-2.1-mini", "gpt-realtime-2")
OTHER_MODELS = (
    "gpt-realtime-1.5",
    "gpt-realtime",
    "gpt-realtime-2025-08-28",
    "gpt-realtime-mini",
    "gpt-realtime-mini-2025-12-15",
)
_REASONING_KEYS = {"reasoning", "parallel_tool_calls"}
# The defaults that the service adds to a setting given with its `type` only.
_OF_TYPE: dict[str, dict[str, Any]] = {
    "audio/pcm": {"rate": 24000},
    "server_vad": {
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    },
    "semantic_vad": {"eagerness": "auto", "create_response": True, "interrupt_response": True},
}


class Configuration:
    """A session's settings, as `session.created` and `session.updated` send them."""

    def __init__(self, model: str, *, lifetime_s: float) -> None:
        pcm = _completed({"type": "audio/pcm"})
        self.session: dict[str, Any] = {
            "object": "realtime.session",
            "id": new_id("sess"),
            "expires_at": int(time.time() + lifetime_s),
            "type": "realtime",
            "model": model,
            "output_modalities": ["audio"],
            "instructions": "You are a helpful, witty, and friendly AI. Talk quickly. Do not refer to these rules.",
            "audio": {
                "input": {
                    "format": pcm,
                    "noise_reduction": None,
                    "transcription": None,
                    "turn_detection": _completed({"type": "server_vad"}),
                },
                "output": {"format": pcm, "voice": "alloy", "speed": 1.0},
            },
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "truncation": "auto",
            "tracing": None,
            "prompt": None,
            "include": None,
        }
        if model in REASONING_MODELS:
            self.session |= {"reasoning": {"effort": "low"}, "parallel_tool_calls": True}

    @property
    def audio_input(self) -> dict[str, Any]:
        settings: dict[str, Any] = self.session["audio"]["input"]
        return settings

    @property
    def audio_output(self) -> dict[str, Any]:
        settings: dict[str, Any] = self.session["audio"]["output"]
        return settings

    def update(self, given: dict[str, Any], *, spoken: bool, speaking: bool) -> None:
        """Applies the `session` of an update, or raises `Refused` and changes nothing.

        `spoken`: the model has produced audio in this session; `speaking`: a response is active.
        """
        session = _merged(self.session, given)
        self._check_fixed(session, spoken=spoken, speaking=speaking)
        self._check_reasoning(given, "session")
        check_tools(session["tools"], "session.tools")
        check_choice(session["tool_choice"], session["tools"], "session.tool_choice")
        self.session = session

    def _check_fixed(self, session: dict[str, Any], *, spoken: bool, speaking: bool) -> None:
        old, new = self.session["audio"]["output"], session["audio"]["output"]
        if session["model"] != self.session["model"]:
            raise invalid("session.model", "the model of a session cannot be changed")
        if spoken and new["voice"] != old["voice"]:
            message = "Cannot update a conversation's voice if assistant audio is present."
            raise Refused("cannot_update_voice", message, param="session.audio.output.voice")
        if speaking and new["speed"] != old["speed"]:
            raise invalid("session.audio.output.speed", "it can be changed between responses only")
        if self.session["tracing"] is not None and session["tracing"] not in (None, self.session["tracing"]):
            raise invalid("session.tracing", "it cannot be changed once it is enabled")

    def _check_reasoning(self, given: dict[str, Any], where: str) -> None:
        if self.session["model"] not in REASONING_MODELS:
            for key in given.keys() & _REASONING_KEYS:
                raise invalid(f"{where}.{key}", f"it is not supported by {self.session['model']}")

    def for_response(self, given: dict[str, Any], *, spoken: bool) -> dict[str, Any]:
        """The settings of one response: the session's, overridden by those in the request; raises `Refused`."""
        self._check_reasoning(given, "response")
        session = copy.deepcopy(self.session)
        output = {key: _completed(value) for key, value in given.get("audio", {}).get("output", {}).items()}
        if spoken and output.get("voice", session["audio"]["output"]["voice"]) != session["audio"]["output"]["voice"]:
            message = "Cannot update a conversation's voice if assistant audio is present."
            raise Refused("cannot_update_voice", message, param="response.audio.output.voice")
        settings = {"metadata": None} | session | given | {"audio": {"output": session["audio"]["output"] | output}}
        check_tools(settings["tools"], "response.tools")
        check_choice(settings["tool_choice"], settings["tools"], "response.tool_choice")
        return settings


def check_choice(choice: str | dict[str, Any], tools: list[dict[str, Any]], param: str) -> None:
    """Raises `Refused` for a choice that no tool can satisfy."""
    names = [tool["name"] for tool in tools]
    if isinstance(choice, dict) and choice["name"] not in names:
        raise invalid(
            param, f"tool choice '{choice['name']}' is not among the tools ({', '.join(names) or 'there are none'})"
        )
    if choice == "required" and not names:
        raise invalid(param, "tool choice 'required' needs tools, and there are none")


def _merged(current: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    session = copy.deepcopy(current)
    for key, value in given.items():
        if key != "audio":
            session[key] = value
    for side, settings in given.get("audio", {}).items():
        session["audio"][side] |= {key: _completed(value) for key, value in settings.items()}
    _keep_strength(session["audio"]["input"], current["audio"]["input"])
    return session


def _completed(value: Any) -> Any:
    """A setting with the defaults of its type."""
    return _OF_TYPE.get(value.get("type", ""), {}) | value if isinstance(value, dict) else value


def _keep_strength(audio_input: dict[str, Any], before: dict[str, Any]) -> None:
    """Keeps the previous noise reduction strength if an update omits it; the default is 1."""
    if reduction := audio_input["noise_reduction"]:
        audio_input["noise_reduction"] = {"strength": 1.0} | (before["noise_reduction"] or {}) | reduction
