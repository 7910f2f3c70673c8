"""The page in a browser, as somebody uses it: slider, legend, click, plane, lasso, names; and other kinds of runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from view_browser import LIMIT, Faults, drag, picture, share_of, until, visit
from view_client import client_of

from tile_engine.engine.api import viewing
from tile_engine.engine.runtime.load import load

BOUNDS = "TE.maps.map((map) => { const { x, y, width } = map.viewer.viewport.getBounds(true); return [x, y, width]; })"

LATE = """(() => {
  const get = TE.api.get;
  TE.api.get = async (...values) => { await new Promise((done) => { setTimeout(done, 600); }); return get(...values); };
})()"""
PICKED = """(() => {
  const place = TE.make("span", document.body), taken = [], picker = TE.picker(place, "Many", (number) => taken.push(number));
  const input = place.querySelector("input"), press = (key) => input.dispatchEvent(new KeyboardEvent("keydown", { key }));
  picker.items(Array.from({ length: 1000 }, (_, i) => `image ${i}`));
  picker.set(500);
  input.click();
  press("Enter");
  input.click();
  press("ArrowDown");
  const more = place.querySelector(".quiet").textContent;
  press("Enter");
  const result = [taken, input.value, more];
  place.remove();
  return result;
})()"""
"""What a list of 1,000 images takes by Enter alone, and by an arrow key and Enter."""


def test_a_slide_is_looked_at_and_its_clusters_are_named(
    browser: Any, finished: Callable[..., Any], tmp_path: Path
) -> None:
    saved = []  # what `relabel` does with it: test_saving.py

    go = threading.Event()

    def relabel(out: Path, level: int, path: Path, report: Any) -> None:
        saved.append(path.read_text().splitlines()[1])
        assert go.wait(LIMIT / 1000)

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
        until(page, "!!TE.plane")
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
        leaves = "window.dispatchEvent(new Event('beforeunload', { cancelable: true }))"
        assert page.evaluate(leaves), "nothing was edited yet"
        page.fill("#legend tr:first-child input[type=text]", "mucosa")
        assert not page.evaluate(leaves)
        page.click("#save")
        page.wait_for_selector("#edit[aria-pressed=false]")
        assert "1 mucosa" in page.inner_text("#legend tbody tr:first-child"), "it is shown before it is saved"
        with page.expect_event("dialog") as asked:
            page.evaluate("setTimeout(() => location.reload(), 5)")
        asked.value.dismiss()
        assert asked.value.type == "beforeunload" and page.inner_text("#saving").startswith("Saving names")
        go.set()
        page.wait_for_selector("#saving[data-state=done]")
        page.keyboard.press("2")
        page.wait_for_selector("#pane-1 .picker")
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
        page.keyboard.press("/")
        page.keyboard.type("B")
        assert page.locator(".picker [role=option]:visible").all_inner_texts() == ["b.tif"]
        page.keyboard.press("Enter")
        page.wait_for_selector("#message:has-text('it is damaged')")
        assert page.input_value("#image") == "a.tif", "the image before stays"
        page.close()
    assert saved == [f"1,mucosa,{shown['colours'][0]},"]


def test_names_that_could_not_be_saved_are_never_lost_in_silence(
    browser: Any, finished: Callable[..., Any], tmp_path: Path
) -> None:
    """Edits stay until they are accepted; only what was edited is sent; a table that is made anew is waited for aloud."""
    sent: list[Any] = []
    go = threading.Event()

    def relabel(out: Path, level: int, path: Path, report: Any) -> None:
        table.rename(tmp_path / "away")
        assert go.wait(LIMIT / 1000)
        (tmp_path / "away").rename(table)

    def refuse_once(route: Any) -> None:
        if route.request.method == "POST":
            sent.append(route.request.post_data_json)
        if len(sent) == 1 and route.request.method == "POST":
            return route.fulfill(status=422, content_type="application/json", body='{"error": "not so"}')
        return route.fallback()

    out = finished("cluster", "slides").copy(tmp_path / "out")
    table = load(out).folder.table
    with client_of(out, relabel) as client:
        page, _ = visit(browser, client)
        page.route("**/api/runs/0/clusters", refuse_once)
        page.keyboard.press("e")
        page.fill("#legend tr:first-child input[type=text]", "mucosa")
        page.locator("#legend tr:first-child input[type=text]").blur()
        page.keyboard.press("e")
        page.wait_for_selector("#message:has-text('Save or Cancel')")
        page.click("#save")
        page.wait_for_selector("#message:has-text('not so')")
        assert page.input_value("#legend tr:first-child input[type=text]") == "mucosa", (
            "edits stay where they are refused"
        )
        page.click("#save")
        page.wait_for_selector("#edit[aria-pressed=false]")
        assert [one["rows"] for one in sent] == [[{"cluster": "1", "name": "mucosa"}]] * 2
        until(page, "TE.api.get('runs').then((now) => { TE.state.folder = now; return !TE.run().table; })")
        for key in ("s", "p"):
            page.evaluate("TE.say('')")
            page.keyboard.press(key)
            page.wait_for_selector("#message:has-text('after the names are saved')")
        assert client.ask("/api/runs/0/plane")[0] == 409

        gone = {"status": 500, "content_type": "application/json", "body": '{"error": "no answer"}'}
        page.route("**/api/runs/0/clusters", lambda route: route.fulfill(**gone))
        page.wait_for_selector("#saving[data-state=unknown]:has-text('not known')")
        page.unroute("**/api/runs/0/clusters")
        go.set()
        page.wait_for_selector("#saving[data-state=done]")
        until(page, "!!TE.plane")
        page.close()


def test_every_run_tells_of_its_own_names(browser: Any, finished: Callable[..., Any]) -> None:
    """The state of a run is not lost when that of another is followed."""
    with client_of(finished("cluster", "slides").out, lambda *_: None) as client:
        page, _ = visit(browser, client)
        folder = client.get("runs")
        folder["runs"].append(folder["runs"][0] | {"name": "other"})
        page.route("**/api/runs", lambda route: route.fulfill(json=folder))
        page.evaluate("TE.api.get('runs').then((now) => { TE.state.folder = now; })")
        page.route(
            "**/api/runs/0/clusters", lambda route: route.fulfill(json={"state": "failed", "text": "it is full"})
        )
        page.route("**/api/runs/1/clusters", lambda route: route.fulfill(json={"state": "done", "text": ""}))
        for run in (0, 1):
            page.evaluate(f"TE.save({run}, 2, [])")
        page.wait_for_selector("#saving[data-state=failed]:has-text('it is full')")
        assert not page.evaluate("window.dispatchEvent(new Event('beforeunload', { cancelable: true }))")
        page.route("**/api/runs/0/clusters", lambda route: route.fulfill(json={"state": "idle", "text": ""}))
        page.click("#saving button:has-text('Let go')")
        page.wait_for_selector("#saving[data-state=done]:has-text('other: Names saved')")
        page.close()


def test_keys_do_what_a_pointer_does(browser: Any, finished: Callable[..., Any], tmp_path: Path) -> None:
    out = finished("cluster", "slides").copy(tmp_path / "out")  # a search writes its index
    with client_of(out) as client:
        page, faults = visit(browser, client)
        page.focus("#pane-0 .openseadragon-canvas")
        page.keyboard.press("Enter")
        page.wait_for_selector("#spoken:has-text('tile')", state="attached")
        (row, column) = page.evaluate("TE.cursorAt().index")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowUp")
        assert page.evaluate("TE.cursorAt().index") == [row - 1, column + 1]
        page.wait_for_selector(f"#spoken:has-text('tile {row - 1}, {column + 1}')", state="attached")
        page.keyboard.press("Enter")
        page.wait_for_selector("#similar-note:has-text('Nearest')")
        page.keyboard.press("p")
        until(page, "!!TE.plane")
        page.focus("#legend tbody tr:nth-child(2) input")
        page.keyboard.press("Enter")
        page.wait_for_selector("#chosen button")
        chosen = page.evaluate("TE.state.chosen")
        number = page.evaluate("TE.level().numbers[1]")
        assert {page.evaluate(f"TE.cluster(TE.plane.fine[{row}]).number") for row in chosen[:5]} == {number}
        for row in (chosen[0], chosen[1], chosen[0]):
            page.keyboard.press("b" if row == chosen[0] and page.evaluate("!!TE.cursorAt()") else "n")
            until(page, f"TE.cursorAt() && TE.nearestTile(TE.state.images[0], TE.cursorAt().centre) === {row}")
        page.keyboard.press("x")
        until(page, f"TE.state.chosen.length === {len(chosen) - 1}")
        page.keyboard.press("Escape")
        assert page.evaluate("TE.cursorAt()") is None and page.evaluate("TE.state.chosen.length")
        page.keyboard.press("Escape")
        assert not page.evaluate("TE.state.chosen.length")
        page.focus("#scatter")
        before = page.inner_text("#spoken")
        page.keyboard.press("ArrowLeft")
        until(page, f"TE.byId('spoken').textContent !== {before!r}")
        page.keyboard.press("?")
        assert page.locator("#help tr").count() > 20
        assert not faults
        page.close()


def test_two_volumes_show_the_planes_through_one_position(browser: Any, finished: Callable[..., Any]) -> None:
    with client_of(finished("cluster", "volumes").out) as client:
        page, faults = visit(browser, client)
        page.keyboard.press("2")
        page.wait_for_selector("#pane-1 .picker")
        page.locator("#pane-1 .cut .box").first.click(position={"x": 30, "y": 40})
        page.wait_for_timeout(200)
        texts = [page.locator(f"#pane-{pane} .cut output").all_inner_texts() for pane in (0, 1)]
        page.locator("#pane-1 .cut input").first.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_selector("#spoken:has-text('mm')", state="attached")
        assert texts[0] == texts[1] and all(text.endswith(" mm") for text in texts[0])
        images = [page.locator(f"#pane-{pane} .cut img").first.get_attribute("src") for pane in (0, 1)]
        assert images[0].replace("images/0", "images/1") == images[1] != images[0]
        assert page.locator("#pane-1 .cut .frame").count() == 3 and picture(page, "#pane-1 .cut .frame").std() > 20
        assert not faults
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_volumes_and_films_are_drawn(browser: Any, finished: Callable[..., Any], scheme: Any) -> None:
    with client_of(finished("cluster", "volumes").out) as client:
        page, faults = visit(browser, client, color_scheme=scheme)
        page.fill(".cut input[aria-label='coronal plane']", "10")
        page.locator(".cut .box").first.click()
        page.wait_for_selector("#similar button img")
        assert picture(page, ".cut .frame").std() > 20 and page.locator("#edit").is_disabled()
        page.locator("#legend button").first.click()
        until(page, "TE.state.chosen.length > 1")
        first, second = page.evaluate("TE.state.chosen.slice(0, 2)")
        for row in (first, second):  # where the planes meet is what a cursor is on a slide
            page.keyboard.press("n")
            until(page, f"TE.nearestTile(TE.state.images[0], TE.cutsAt()) === {row}")
        page.keyboard.press("x")
        until(page, f"!TE.state.chosen.includes({second}) && TE.state.chosen.includes({first})")
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
    out = finished("cluster", "slides").out
    path, faults = viewing.write_static(out, tmp_path / "page"), Faults()
    page = browser.new_page()
    page.on("pageerror", lambda error: faults.note(str(error)))
    page.on("requestfailed", lambda request: faults.note(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready=yes]")
    page.keyboard.press(".")
    page.fill("#opacity", "100")
    page.wait_for_timeout(400)
    colours = page.evaluate("TE.level().colours")
    shares = [share_of(picture(page, "#pane-0"), colour) for colour in colours]
    assert len(colours) == page.locator("#legend tbody tr").count() > 2 and sum(shares) > 0.3
    most = int(np.argmax(shares))
    page.locator("#legend tbody tr").nth(most).locator("input").uncheck()
    page.wait_for_timeout(400)
    assert share_of(picture(page, "#pane-0"), colours[most]) < 0.02 < shares[most], "a cluster that is switched off"
    page.locator("#all-on").click()
    page.fill("#sure", "100")
    page.wait_for_timeout(400)
    assert share_of(picture(page, "#pane-0"), colours[most]) < shares[most], "only tiles that are sure"
    box = page.query_selector("#pane-0 .stage").bounding_box()
    place = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.click(*place)
    page.wait_for_selector("#hover:has-text('confidence')")
    found, centre = page.inner_text("#hover"), page.evaluate("TE.cursorAt().centre")
    with client_of(out) as client:
        at = client.get(f"runs/0/images/0/at?y={centre[0]}&x={centre[1]}")
    assert f"confidence {at['values']['confidence']:.3g}"[:15] in found
    assert f"tile {at['tile']['index'][0]}, {at['tile']['index'][1]}" in found
    page.evaluate(LATE)
    page.fill("#sure", "0")
    page.keyboard.press(",")  # the layer of another level is asked for while the next image is on its way
    page.evaluate("void TE.show(0, 2)")
    page.wait_for_timeout(300)
    assert page.evaluate("TE.state.documents[0].name") == "a.tif" and not faults
    until(page, "TE.state.documents[0].name === 'c.tif'")
    page.wait_for_timeout(400)
    colours = page.evaluate("TE.level().colours")
    assert sum(share_of(picture(page, "#pane-0"), colour) for colour in colours) > 0.3, "it is still drawn"
    assert page.evaluate(PICKED) == [[501], "image 501", "800 more: type to search"]
    page.evaluate("TE.run().images = TE.run().images.slice(2); void TE.show(0, 0)")
    until(page, "TE.state.documents[0].name === 'a.tif'")
    page.keyboard.press("2")
    page.wait_for_selector("#pane-1 .picker")  # the only image, twice
    assert not faults
    page.close()
