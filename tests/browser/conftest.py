"""The desk as a person on call sees it: the app listens on this machine, and a phone's browser opens it.

The browser is the system's Chromium. Each test has its own table, people on call and Twilio REST API.
"""

import asyncio
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypercorn.asyncio import serve
from hypercorn.config import Config
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from functions.desk.app import app
from local.stack.process import REPOSITORY, free_port
from shared.on_call.store import RosterStore

# The same fixtures as in the desk's own tests.
from tests.functions.conftest import long_limits
from tests.functions.desk.conftest import alerted, calls, environ, escalations, roster, twilio
from tests.functions.desk.desk_requests import link

__all__ = ["alerted", "calls", "environ", "escalations", "long_limits", "roster", "twilio"]

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
A_PHONE = "Pixel 7"
# Long, since this machine may be busy.
LIMIT_MS = 20_000
OUT = REPOSITORY / "out"

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The URL of the desk's app."""
    config = Config()
    config.bind = [f"127.0.0.1:{free_port()}"]
    config.loglevel = "ERROR"
    loop, stop, started = asyncio.new_event_loop(), asyncio.Event(), threading.Event()

    async def run() -> None:
        loop.call_soon(started.set)
        await serve(app, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type] # its own type for the same thing

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert started.wait(LIMIT_MS / 1000)
    yield f"http://{config.bind[0]}"
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


# One per module: while it exists, tests of other files could not run their own event loops.
@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright's driver."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """The system's Chromium."""
    executable = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    assert executable, f"no Chromium was found ({', '.join(CHROMIUM)}): make setup-browser, or apt-get install chromium"
    browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
    yield browser
    browser.close()


@pytest.fixture
def phone(
    environ: pytest.MonkeyPatch, roster: RosterStore, address: str, browser: Browser, playwright: Playwright
) -> Iterator[Open]:
    """Opens a person's link on their own phone. With `quiet`, a warning or error in its console fails the test."""
    environ.setenv("PUBLIC_URL", address)
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def opened(person: str = "maria", under: str = "", *, quiet: bool = True, **options: Any) -> Page:
        context = browser.new_context(**{**playwright.devices[A_PHONE], **options})
        contexts.append(context)
        context.set_default_timeout(LIMIT_MS)
        page = context.new_page()
        if quiet:
            page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}/desk/{link(person)}{under}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


def picture(page: Page, name: str) -> Path:
    """Saves a screenshot of the page as the phone shows it, in the folder `out`."""
    OUT.mkdir(exist_ok=True)
    path = OUT / f"{name}.png"
    page.screenshot(path=path)
    return path
