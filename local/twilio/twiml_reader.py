"""Reads TwiML as Twilio reads it: XML becomes a document of verbs, or an error with Twilio's code.

What Twilio has and this simulation has not is refused by name, so that nobody takes silence for agreement.
"""

from collections.abc import Callable, Mapping
from xml.etree import ElementTree

from local.twilio.twiml import (
    ApplicationError,
    Conference,
    Connect,
    Dial,
    Document,
    Gather,
    Hangup,
    NotSimulatedError,
    Number,
    Pause,
    Play,
    Redirect,
    Reject,
    Say,
    StatusCallback,
    Stream,
    Verb,
)
from local.twilio.twiml_schema import (
    ATTRIBUTES,
    BEEPS,
    CALL_EVENTS,
    CONFERENCE_EVENTS,
    EVENTS_NOT_SIMULATED,
    LONGEST_CALL_S,
    NOT_SIMULATED,
    NOT_SIMULATED_ATTRIBUTES,
)

MAX_PARTICIPANTS = 250


def parse(text: str | bytes, url: str | None = None) -> Document:
    """Reads a document. Raises ApplicationError 12100 for no XML or no <Response>, and NotSimulatedError."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 -- our own application's document, of bounded size
    except ElementTree.ParseError as error:
        raise ApplicationError(12100, f"the document is not well-formed XML: {error}") from error
    if root.tag != "Response":
        raise ApplicationError(12100, f"the root element is <{root.tag}>; it must be <Response>")
    warnings: list[str] = []
    verbs = [verb for element in root if (verb := _read_verb(element, warnings)) is not None]
    return Document(tuple(verbs), url, tuple(warnings))


def _read_verb(element: ElementTree.Element, warnings: list[str]) -> Verb | None:
    if element.tag in NOT_SIMULATED:
        raise NotSimulatedError(f"<{element.tag}> is not simulated yet; these verbs are: {', '.join(sorted(READERS))}")
    reader = READERS.get(element.tag)
    if reader is None:
        warnings.append(f"<{element.tag}> is no TwiML verb")  # Twilio skips it, with a schema warning
        return None
    _check_attributes(element, warnings)
    return reader(element, warnings)


def _check_attributes(element: ElementTree.Element, warnings: list[str]) -> None:
    for name in element.attrib:
        if name in NOT_SIMULATED_ATTRIBUTES.get(element.tag, ()):
            raise NotSimulatedError(f"the attribute {name} of <{element.tag}> is not simulated yet")
        if name not in ATTRIBUTES[element.tag]:
            warnings.append(f"<{element.tag}> has no attribute {name}")


def _read_say(element: ElementTree.Element, warnings: list[str]) -> Say:
    text = " ".join("".join(element.itertext()).split())
    return Say(text, element.get("language", "en-US"), _number(element, "loop", 1, warnings))


def _read_pause(element: ElementTree.Element, warnings: list[str]) -> Pause:
    return Pause(_number(element, "length", 1, warnings))


def _read_play(element: ElementTree.Element, warnings: list[str]) -> Play:
    return Play((element.text or "").strip(), _number(element, "loop", 1, warnings))


def _read_gather(element: ElementTree.Element, warnings: list[str]) -> Gather:
    if element.get("input", "dtmf") != "dtmf":
        raise NotSimulatedError(f"<Gather> is simulated for keys alone, not with input={element.get('input')!r}")
    prompt = []
    for child in element:
        verb = _read_verb(child, warnings)
        if isinstance(verb, Say | Play | Pause):
            prompt.append(verb)
        elif verb is not None:
            warnings.append(f"<{child.tag}> does not belong into <Gather>")
    finish = element.get("finishOnKey", "#")
    if len(finish) > 1 or finish not in "0123456789#*":
        warnings.append(f"finishOnKey of <Gather> is {finish!r}; it must be one key or empty")
        finish = "#"
    return Gather(
        tuple(prompt),
        _number(element, "numDigits", 1, warnings) if "numDigits" in element.attrib else None,
        _number(element, "timeout", 5, warnings),
        finish,
        element.get("action"),
        _method(element),
        _flag(element, "actionOnEmptyResult", default=False, warnings=warnings),
    )


def _read_connect(element: ElementTree.Element, warnings: list[str]) -> Connect:
    if len(element) != 1 or element[0].tag != "Stream":
        found = [child.tag for child in element]
        raise NotSimulatedError(f"<Connect> is simulated with exactly one <Stream> in it, not with {found}")
    _check_attributes(element[0], warnings)
    stream = _read_stream(element[0], warnings)
    return Connect(stream, element.get("action"), _method(element))


def _read_stream(element: ElementTree.Element, warnings: list[str]) -> Stream:
    parameters = {}
    for child in element:
        if child.tag != "Parameter":
            warnings.append(f"<{child.tag}> does not belong into <Stream>")
            continue
        _check_attributes(child, warnings)
        parameters[child.get("name", "")] = child.get("value", "")
    return Stream(element.get("url", ""), element.get("name", ""), element.get("track", "inbound_track"), parameters)


def _read_dial(element: ElementTree.Element, warnings: list[str]) -> Dial:
    return Dial(
        _read_noun(element, warnings),
        element.get("action"),
        _method(element),
        _number(element, "timeout", 30, warnings),
        _number(element, "timeLimit", LONGEST_CALL_S, warnings, at_most=LONGEST_CALL_S),
        element.get("callerId"),
        _flag(element, "answerOnBridge", default=False, warnings=warnings),
        _flag(element, "hangupOnStar", default=False, warnings=warnings),
    )


def _read_noun(element: ElementTree.Element, warnings: list[str]) -> Number | Conference:
    found = [child.tag for child in element]
    if not found and (text := (element.text or "").strip()):
        return Number(text)
    if found not in (["Number"], ["Conference"]):
        raise NotSimulatedError(f"<Dial> is simulated with one number or one <Conference> in it, not with {found}")
    _check_attributes(element[0], warnings)
    return _read_number(element[0], warnings) if found == ["Number"] else _read_conference(element[0], warnings)


def _read_number(element: ElementTree.Element, warnings: list[str]) -> Number:
    number = (element.text or "").strip()
    # Without events, a call's end is told (Twilio, "TwiML Voice: <Number>").
    status = _status_callback(element, CALL_EVENTS, frozenset({"completed"}), warnings)
    return Number(number, element.get("url"), _method(element), status)


def _read_conference(element: ElementTree.Element, warnings: list[str]) -> Conference:
    beep = element.get("beep", "true")
    if beep not in BEEPS:
        warnings.append(f"beep of <Conference> is {beep!r}; it must be one of {sorted(BEEPS)}")
        beep = "true"
    return Conference(
        (element.text or "").strip(),
        _flag(element, "startConferenceOnEnter", default=True, warnings=warnings),
        _flag(element, "endConferenceOnExit", default=False, warnings=warnings),
        _flag(element, "muted", default=False, warnings=warnings),
        beep,
        element.get("participantLabel", ""),
        element.get("waitUrl"),
        _method(element, "waitMethod"),
        min(_number(element, "maxParticipants", MAX_PARTICIPANTS, warnings), MAX_PARTICIPANTS),
        _status_callback(element, CONFERENCE_EVENTS, frozenset(), warnings),
    )


def _status_callback(
    element: ElementTree.Element, known: frozenset[str], default: frozenset[str], warnings: list[str]
) -> StatusCallback:
    events = frozenset(element.get("statusCallbackEvent", "").split())
    if missing := events & EVENTS_NOT_SIMULATED:
        raise NotSimulatedError(f"the events {sorted(missing)} of <{element.tag}> are not simulated yet")
    if events - known:
        warnings.append(f"<{element.tag}> has no events {sorted(events - known)}; there are {sorted(known)}")
    return StatusCallback(
        element.get("statusCallback"), _method(element, "statusCallbackMethod"), events & known or default
    )


def _read_redirect(element: ElementTree.Element, _warnings: list[str]) -> Redirect:
    return Redirect((element.text or "").strip(), _method(element))


def _read_hangup(_element: ElementTree.Element, _warnings: list[str]) -> Hangup:
    return Hangup()


def _read_reject(element: ElementTree.Element, _warnings: list[str]) -> Reject:
    return Reject(element.get("reason", "rejected"))


def _method(element: ElementTree.Element, name: str = "method") -> str:
    return element.get(name, "POST").upper()


def _flag(element: ElementTree.Element, name: str, *, default: bool, warnings: list[str]) -> bool:
    value = element.get(name, str(default).lower())
    if value not in {"true", "false"}:
        warnings.append(f"{name} of <{element.tag}> is {value!r}; it must be true or false")
        return default
    return value == "true"


def _number(
    element: ElementTree.Element, name: str, default: int, warnings: list[str], *, at_most: int | None = None
) -> int:
    value = element.get(name, str(default))
    if name == "loop" and value == "0":
        raise NotSimulatedError(f'loop="0" of <{element.tag}>, until the call ends, is not simulated yet')
    if value.isascii() and value.isdigit() and 0 < int(value) <= (at_most or int(value)):
        return int(value)
    allowed = f"from 1 to {at_most}" if at_most else "above 0"
    warnings.append(f"{name} of <{element.tag}> is {value!r}; it must be a whole number {allowed}")
    return default


READERS: Mapping[str, Callable[[ElementTree.Element, list[str]], Verb]] = {
    "Say": _read_say,
    "Pause": _read_pause,
    "Play": _read_play,
    "Gather": _read_gather,
    "Connect": _read_connect,
    "Dial": _read_dial,
    "Redirect": _read_redirect,
    "Hangup": _read_hangup,
    "Reject": _read_reject,
}
