"""The page in a browser: opened, looked at as pixels, and waited for."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
from PIL import Image
from view_client import Client

LIMIT = 60_000
"""Milliseconds to wait for anything."""
INJECTED = "Applying inline style violates"
"""Playwright hides the caret by a style of its own for a screenshot, which the page's policy refuses."""


class Faults(list[str]):
    """What the page complained about."""

    def note(self, text: str) -> None:
        if INJECTED not in text:
            self.append(text)


def visit(browser: Any, client: Client, **options: Any) -> tuple[Any, Faults]:
    page, faults = browser.new_page(viewport={"width": 1200, "height": 800}, **options), Faults()
    page.set_default_timeout(LIMIT)
    page.on("console", lambda message: faults.note(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.note(str(error)))
    page.on("response", lambda answer: faults.note(answer.url) if answer.status >= 400 else None)
    page.goto(client.server.url)
    page.wait_for_selector("body[data-ready=yes]")
    return page, faults


def picture(page: Any, selector: str) -> Any:
    return np.asarray(Image.open(io.BytesIO(page.query_selector(selector).screenshot())).convert("RGB"))


def until(page: Any, expression: str) -> None:
    """`wait_for_function` makes code of a text, which the page's policy forbids."""
    limit = time.monotonic() + LIMIT / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < limit, expression
        page.wait_for_timeout(30)


def share_of(pixels: Any, colour: str) -> float:
    """Share of the pixels that have about a colour."""
    rgb = np.array(list(bytes.fromhex(colour[1:])))
    return float((np.abs(pixels.astype(int) - rgb).max(-1) < 12).mean())


def drag(page: Any, selector: str, size: float) -> None:
    """A square lasso over the middle."""
    box = page.query_selector(selector).bounding_box()
    x, y, half = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, size / 2
    page.mouse.move(x - half, y - half)
    page.mouse.down()
    for dx, dy in ((half, -half), (half, half), (-half, half)):
        page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up()
