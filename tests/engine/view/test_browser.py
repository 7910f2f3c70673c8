"""The page in a browser, as somebody uses it: slider, legend, click, plane, lasso, names; and other kinds of runs."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from view_client import Client, client_of

from tile_engine.engine.api import viewing

LIMIT = 60_000
"""Milliseconds to wait for anything."""
BOUNDS = "TE.maps.map((map) => { const { x, y, width } = map.viewer.viewport.getBounds(true); return [x, y, width]; })"
INJECTED = "Applying inline style violates"
"""Playwright hides the caret by a style of its own for a screenshot, which the page's policy refuses."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    path = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
    if path is None:
        assert os.environ.get("CI", "").lower() != "true", "CI needs a chromium"
        pytest.skip("no chromium here")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


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


def test_a_slide_is_looked_at_and_its_clusters_are_named(
    browser: Any, finished: Callable[..., Any], tmp_path: Path
) -> None:
    saved = []  # what `relabel` does with it: test_saving.py

    def relabel(out: Path, level: int, path: Path, report: Any) -> None:
        saved.append(path.read_text().splitlines()[1])

    with client_of(
        finished("cluster", "slides").copy(tmp_path / "out"), relabel
    ) as client:  # a search writes its index
        page, faults = visit(browser, client)
        assert "token" not in page.url
        tree = client.get("runs")["runs"][0]["tree"]
        shown = tree["levels"][str(tree["shown"])]
        page.fill("#opacity", "100")
        page.wait_for_timeout(400)
        before = picture(page, "#pane-0")
        assert sum(share_of(before, colour) for colour in shown["colours"]) > 0.3, "clusters are drawn in their colours"
        assert page.locator("#legend tbody tr").count() == tree["shown"]

        page.locator("#legend tbody tr").first.locator("input").uncheck()
        page.wait_for_timeout(400)
        assert share_of(picture(page, "#pane-0"), shown["colours"][0]) < 0.02, "a cluster that is switched off"
        page.locator("#legend tbody tr").first.locator("input").check()
        page.keyboard.press(".")
        page.wait_for_selector(f"#level-number:text-is('{tree['shown'] + 1}')")
        assert page.locator("#legend tbody tr").count() == tree["shown"] + 1
        page.keyboard.press("r")

        box = page.query_selector("#pane-0 .stage").bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.wait_for_selector("#similar button:nth-of-type(9) img")
        page.mouse.move(box["x"] + box["width"] / 2 + 5, box["y"] + box["height"] / 2)
        page.wait_for_selector("#hover:has-text('confidence')")

        page.keyboard.press("p")
        page.wait_for_selector("#plane-title:has-text('tiles')")
        page.keyboard.press("l")
        page.wait_for_selector("#lasso-plane[aria-pressed=true]")
        drag(page, "#pane-0 .stage", 150)
        page.wait_for_selector("#chosen button")
        drag(page, "#scatter", 500)
        assert int(page.inner_text("#chosen-number").replace(",", "")) > 10
        page.keyboard.press("Escape")

        page.keyboard.press("1")
        page.keyboard.press("e")
        assert page.locator("#run").is_disabled(), "names are of one run"
        page.fill("#legend tr:first-child input[type=text]", "mucosa")
        page.click("#save")
        page.wait_for_selector("#edit[aria-pressed=false]")
        page.keyboard.press("2")
        page.wait_for_selector("#pane-1 .which")
        page.evaluate("TE.byId('pane-1').querySelector('.bar').hidden = true")  # of unequal height
        page.hover("#pane-0 .stage")
        page.mouse.wheel(0, -2000)
        page.wait_for_timeout(800)
        widths = [page.query_selector(f"#pane-{pane} .ruler").bounding_box()["width"] for pane in (0, 1)]
        assert page.inner_text("#pane-0 .ruler") == page.inner_text("#pane-1 .ruler")
        before = page.evaluate(BOUNDS)
        page.wait_for_timeout(700)
        assert page.evaluate(BOUNDS) == before, "neither image follows its own echo"
        assert widths[0] == pytest.approx(widths[1], rel=0.02), "slides of different sizes, equally large"
        page.hover("#help-on")
        page.keyboard.press("s")
        page.wait_for_selector("#similar-note:has-text('Nearest')")
        assert not faults

        refusal = {"status": 422, "content_type": "application/json", "body": '{"error": "it is damaged"}'}
        page.route("**/api/runs/0/images/1", lambda route: route.fulfill(**refusal))
        page.select_option("#image", "1")
        page.wait_for_selector("#message:has-text('it is damaged')")
        assert page.input_value("#image") == "0", "the image before stays"
        page.close()
    assert saved == [f"1,mucosa,{shown['colours'][0]},"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_volumes_and_films_are_drawn(browser: Any, finished: Callable[..., Any], scheme: Any) -> None:
    with client_of(finished("cluster", "volumes").out) as client:
        page, faults = visit(browser, client, color_scheme=scheme)
        page.fill(".cut input[aria-label='coronal plane']", "10")
        page.locator(".cut .box").first.click()
        page.wait_for_selector("#similar button img")
        assert picture(page, ".cut .frame").std() > 20 and page.locator("#edit").is_disabled()
        side = picture(page, "#side").mean()
        assert side < 90 if scheme == "dark" else side > 170
        assert not faults
        page.close()
    if scheme == "light":
        return
    with client_of(finished("anomaly", "films").out) as client:
        page, faults = visit(browser, client, color_scheme=scheme)
        page.wait_for_selector(".film img.over")
        page.locator(".film .view").first.click()
        page.wait_for_selector(".film.large .scores")
        assert page.locator(".film").count() == 60 and not faults
        page.close()


def test_the_static_page_opens_from_a_disk(browser: Any, finished: Callable[..., Any], tmp_path: Path) -> None:
    path, faults = viewing.write_static(finished("cluster", "slides").out, tmp_path / "page"), Faults()
    page = browser.new_page()
    page.on("pageerror", lambda error: faults.note(str(error)))
    page.on("requestfailed", lambda request: faults.note(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready=yes]")
    page.keyboard.press(".")
    page.fill("#opacity", "100")
    page.wait_for_timeout(400)
    assert picture(page, "#pane-0").std() > 30 and page.locator("#legend tbody tr").count() > 2
    assert not faults
    page.close()
