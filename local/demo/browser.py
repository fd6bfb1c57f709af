"""A minimal browser: it opens a page, finds the big button and presses it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Final, Self
from urllib.parse import urljoin

import aiohttp

_LIMIT: Final = aiohttp.ClientTimeout(total=30)
_BIG: Final = "big"


class NothingToTapError(Exception):
    """The page has no big button, or the server refused the request; the message says what the page shows instead."""


@dataclass
class Page(HTMLParser):
    """A page of the desk: its headline, and its big button with that button's form."""

    url: str
    headline: str = ""
    button: str = ""
    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self._reads: str | None = None
        self._form: tuple[str, dict[str, str]] = ("", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Parses a start tag; a form is kept if its button is the big one."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = (given["action"], {})
        elif tag == "input":
            self._form[1][given["name"]] = given.get("value", "")
        elif tag == "button" and given.get("id") == _BIG:
            self._reads = "button"
            self.action, self.fields = self._form
        elif tag == "h1":
            self._reads = "headline"

    def handle_endtag(self, tag: str) -> None:
        """Ends the headline or button whose text was being collected."""
        self._reads = None

    def handle_data(self, data: str) -> None:
        """Collects the text of the headline or button."""
        if self._reads:
            setattr(self, self._reads, f"{getattr(self, self._reads)}{data}".strip())


class Browser:
    """Open inside its context. `address_of` maps a public URL to its address on this machine."""

    def __init__(self, address_of: Callable[[str], str]) -> None:
        self._address_of = address_of

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=_LIMIT)
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def open(self, url: str) -> Page:
        """Opens the page at a public URL."""
        async with self._session.get(self._address_of(url)) as answer:
            return await self._page(url, answer)

    async def tap(self, page: Page) -> Page:
        """Presses the page's big button; returns the next page."""
        if not page.action:
            raise NothingToTapError(f"the page says {page.headline!r} and has no big button")
        url = urljoin(page.url, page.action)
        async with self._session.post(self._address_of(url), data=page.fields, allow_redirects=False) as answer:
            follows = answer.headers.get("Location")
            if follows is None:
                return await self._page(url, answer)
        return await self.open(urljoin(url, follows))

    async def _page(self, url: str, answer: aiohttp.ClientResponse) -> Page:
        page = Page(url)
        page.feed(await answer.text())
        if not answer.ok:
            raise NothingToTapError(f"the server answered {answer.status}: {page.headline!r}")
        return page
