"""A page that a report wrote, opened in Chromium without a network."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from playwright.sync_api import Browser, Page

WIDTH = 1200


@contextmanager
def opened_offline(browser: Browser, address: str, colours: Literal["light", "dark"] = "light") -> Iterator[Page]:
    """The page at the address of a file; in the end it must fit, ask for nothing else, and complain of nothing."""
    context = browser.new_context(viewport={"width": WIDTH, "height": 900}, color_scheme=colours, offline=True)
    tab = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(address)
    yield tab
    widest = tab.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert widest <= WIDTH, "nothing sticks out at the side"
    assert complaints == []
    assert [url for url in asked if url != address and not url.startswith("data:")] == []
