"""Reads TwiML as Twilio reads it: XML becomes a document of verbs, or an error with Twilio's code.

What Twilio has and this simulation has not is refused by name, so that nobody takes silence for agreement.
"""

from collections.abc import Callable, Mapping
from xml.etree import ElementTree

from local.twilio.twiml import (
    ApplicationError,
    Connect,
    Document,
    Hangup,
    NotSimulatedError,
    Pause,
    Play,
    Redirect,
    Reject,
    Say,
    Stream,
    Verb,
)


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


def _read_connect(element: ElementTree.Element, warnings: list[str]) -> Connect:
    if len(element) != 1 or element[0].tag != "Stream":
        found = [child.tag for child in element]
        raise NotSimulatedError(f"<Connect> is simulated with exactly one <Stream> in it, not with {found}")
    _check_attributes(element[0], warnings)
    stream = _read_stream(element[0], warnings)
    return Connect(stream, element.get("action"), element.get("method", "POST").upper())


def _read_stream(element: ElementTree.Element, warnings: list[str]) -> Stream:
    parameters = {}
    for child in element:
        if child.tag != "Parameter":
            warnings.append(f"<{child.tag}> does not belong into <Stream>")
            continue
        _check_attributes(child, warnings)
        parameters[child.get("name", "")] = child.get("value", "")
    return Stream(element.get("url", ""), element.get("name", ""), element.get("track", "inbound_track"), parameters)


def _read_redirect(element: ElementTree.Element, _warnings: list[str]) -> Redirect:
    return Redirect((element.text or "").strip(), element.get("method", "POST").upper())


def _read_hangup(_element: ElementTree.Element, _warnings: list[str]) -> Hangup:
    return Hangup()


def _read_reject(element: ElementTree.Element, _warnings: list[str]) -> Reject:
    return Reject(element.get("reason", "rejected"))


def _number(element: ElementTree.Element, name: str, default: int, warnings: list[str]) -> int:
    value = element.get(name, str(default))
    if name == "loop" and value == "0":
        raise NotSimulatedError(f'loop="0" of <{element.tag}>, until the call ends, is not simulated yet')
    if value.isascii() and value.isdigit() and int(value) > 0:
        return int(value)
    warnings.append(f"{name} of <{element.tag}> is {value!r}; it must be a whole number above 0")
    return default


READERS: Mapping[str, Callable[[ElementTree.Element, list[str]], Verb]] = {
    "Say": _read_say,
    "Pause": _read_pause,
    "Play": _read_play,
    "Connect": _read_connect,
    "Redirect": _read_redirect,
    "Hangup": _read_hangup,
    "Reject": _read_reject,
}
ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "Say": frozenset({"voice", "language", "loop"}),
    "Pause": frozenset({"length"}),
    "Play": frozenset({"loop"}),
    "Connect": frozenset({"action", "method"}),
    "Stream": frozenset({"url", "name", "track"}),
    "Parameter": frozenset({"name", "value"}),
    "Redirect": frozenset({"method"}),
    "Hangup": frozenset(),
    "Reject": frozenset({"reason"}),
}
NOT_SIMULATED = frozenset(
    ["Dial", "Enqueue", "Gather", "Leave", "Pay", "Prompt", "Queue", "Record", "Refer", "Sms", "Start", "Stop"]
)
NOT_SIMULATED_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "Play": frozenset({"digits"}),
    "Stream": frozenset({"statusCallback", "statusCallbackMethod", "connectorName", "audioFormat", "sampleRate"}),
}
