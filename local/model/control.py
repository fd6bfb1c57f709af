"""Faults from outside: `POST /control?fault=CloseSocket&code=1011` on the model's own port, or `--fault
CloseSocket:code=1011` on its command line, for a model that runs in a process of its own."""

from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from local.model.faults import NAMES, Fault, Faults, from_text

PATH = "/control"


def inject(faults: Faults, path: str) -> tuple[HTTPStatus, str]:
    """Carries out a request to /control: adds the fault that its query names, and answers in words."""
    values = dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
    name = values.pop("fault", None)
    if name is None:
        return HTTPStatus.OK, f"Faults: {', '.join(NAMES)}\n"
    try:
        fault = from_text(name, values)
    except ValueError as error:
        return HTTPStatus.BAD_REQUEST, f"{error}\n"
    faults.add(fault)
    return HTTPStatus.OK, f"Next: {fault}\n"


def from_option(option: str) -> Fault:
    """A fault from `Name` or `Name:key=value,key=value`; raises ValueError naming what is wrong and what is allowed."""
    name, _, rest = option.partition(":")
    pairs = [pair.partition("=") for pair in rest.split(",") if pair]
    return from_text(name, {key: value for key, _, value in pairs})
