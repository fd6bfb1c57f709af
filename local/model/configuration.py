"""The configuration of one session: its defaults, how an update changes it, and the rules that need to know more than
one key. An update is taken whole or refused whole."""

import copy
import time
from typing import Any

from local.model.client_events import ResponseRequest
from local.model.ids import new_id
from local.model.refusals import Refused, invalid
from local.model.session_settings import SessionSettings
from local.model.tool_schemas import check_tools

REASONING_MODELS = ("gpt-realtime-2.1", "gpt-realtime-2.1-mini", "gpt-realtime-2")
OTHER_MODELS = (
    "gpt-realtime-1.5",
    "gpt-realtime",
    "gpt-realtime-2025-08-28",
    "gpt-realtime-mini",
    "gpt-realtime-mini-2025-12-15",
)
DEFAULT_INSTRUCTIONS = "You are a helpful, witty, and friendly AI. Talk quickly. Do not refer to these rules."


class Configuration:
    """A session's settings as the wire shows them in `session.created` and `session.updated`."""

    def __init__(self, model: str, *, life: float) -> None:
        defaults = SessionSettings(type="realtime", model=model, instructions=DEFAULT_INSTRUCTIONS)
        self.session: dict[str, Any] = defaults.model_dump(exclude={"reasoning", "parallel_tool_calls"})
        if model in REASONING_MODELS:
            self.session |= {"reasoning": {"effort": "low"}, "parallel_tool_calls": True}
        self.session |= {
            "object": "realtime.session",
            "id": new_id("sess"),
            "expires_at": int(time.time() + life),
            "prompt": None,
        }

    @property
    def audio_input(self) -> dict[str, Any]:
        settings: dict[str, Any] = self.session["audio"]["input"]
        return settings

    @property
    def audio_output(self) -> dict[str, Any]:
        settings: dict[str, Any] = self.session["audio"]["output"]
        return settings

    def update(self, settings: SessionSettings, *, spoken: bool, speaking: bool) -> None:
        """Takes an update over, or raises `Refused` and changes nothing.

        `spoken`: the model has produced audio in this session; `speaking`: a response is active.
        """
        session = _merged(self.session, settings)
        self._check_fixed(session, spoken=spoken, speaking=speaking)
        if self.session["model"] not in REASONING_MODELS:
            for key in settings.model_fields_set & {"reasoning", "parallel_tool_calls"}:
                raise invalid(f"session.{key}", f"it is not supported by {self.session['model']}")
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

    def for_response(self, request: ResponseRequest, *, spoken: bool) -> dict[str, Any]:
        """The settings of one response: the session's, replaced by what the request gives; raises `Refused`."""
        given = request.model_dump(exclude_none=True, exclude={"audio", "input"})
        if self.session["model"] not in REASONING_MODELS:
            for key in given.keys() & {"reasoning", "parallel_tool_calls"}:
                raise invalid(f"response.{key}", f"it is not supported by {self.session['model']}")
        session = copy.deepcopy(self.session)
        output = request.audio.output.model_dump(exclude_none=True)
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


def _merged(current: dict[str, Any], settings: SessionSettings) -> dict[str, Any]:
    session = copy.deepcopy(current)
    given = settings.model_dump()
    for key in settings.model_fields_set - {"type", "audio"}:
        session[key] = given[key]
    session["tools"] = [{key: value for key, value in tool.items() if value is not None} for tool in session["tools"]]
    for side in settings.audio.model_fields_set if "audio" in settings.model_fields_set else ():
        part = getattr(settings.audio, side)
        for key in part.model_fields_set:
            session["audio"][side][key] = given["audio"][side][key]
    _keep_strength(session["audio"]["input"], current["audio"]["input"])
    return session


def _keep_strength(audio_input: dict[str, Any], before: dict[str, Any]) -> None:
    """An omitted strength of the noise reduction keeps the one before; the first one is 1."""
    reduction = audio_input["noise_reduction"]
    if reduction and reduction["strength"] is None:
        reduction["strength"] = (before["noise_reduction"] or {"strength": 1.0})["strength"]
