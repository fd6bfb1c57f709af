"""A list as Twilio's SDK reads it: all on one page."""

from collections.abc import Sequence

from aiohttp import web


def page(request: web.Request, name: str, found: Sequence[object]) -> web.Response:
    """The answer to a request for a list, with all that was found under `name`."""
    body = {
        name: found,
        "page": 0,
        "page_size": 50,
        "start": 0,
        "end": max(0, len(found) - 1),
        "first_page_uri": request.path_qs,
        "next_page_uri": None,
        "previous_page_uri": None,
        "uri": request.path_qs,
    }
    return web.json_response(body)
