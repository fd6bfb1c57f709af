"""The pages as HTML. The template engine escapes what callers and people wrote."""

from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from functions.desk.actions import NOTE_LENGTH
from functions.desk.formatting import grouped
from functions.desk.web.headers import SCRIPT, STYLE, TEMPLATES


def _number(number: str) -> Markup:
    """A phone number as a link that calls it. Only for numbers that may be called."""
    return Markup('<a href="tel:{}">{}</a>').format(number, grouped(number))


_templates = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
# Our own two files, unchanged: the Content-Security-Policy has their hashes.
_templates.globals.update(
    style=Markup(STYLE),  # noqa: S704 # not escaped, as none of it comes from outside
    script=Markup(SCRIPT),  # noqa: S704 # likewise
    number=_number,
    note_length=NOTE_LENGTH,
)


def page(template: str, status: int = 200, **given: Any) -> HTMLResponse:
    """The response made from a template and its variables."""
    return HTMLResponse(_templates.get_template(template).render(given), status)
