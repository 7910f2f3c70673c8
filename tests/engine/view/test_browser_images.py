"""The page of runs that are about whole images: the plane, groups, similar images, pages from a disk; and who can use it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from view_browser import Faults, drag, picture, share_of, until, visit
from view_client import client_of

from tile_engine.engine.api import viewing

CHECK = (Path(__file__).parent / "accessible.js").read_text("utf-8")
POINT = "TE.scatterPoint(TE.plane.point_of[{image}])"


def click_point(page: Any, image: int) -> None:
    x, y = page.evaluate(POINT.format(image=image))
    page.click("#scatter", position={"x": x, "y": y})


def test_volumes_are_found_in_the_plane_and_beside_those_most_like_them(
    browser: Any, finished: Callable[..., Any]
) -> None:
    with client_of(finished("embed", "volumes").out) as client:
        page, faults = visit(browser, client)
        page.wait_for_selector("#plane-title:has-text('6 volumes')")
        page.wait_for_selector("#similar button:nth-of-type(6) img")
        assert page.locator("#column-legend tbody tr").count() == 2, "it opens coloured by the label"
        colours = page.evaluate("TE.plane.columns[0].colours")
        assert all(share_of(picture(page, "#scatter"), colour) > 0 for colour in colours)
        page.locator("#column-legend input").first.uncheck()
        page.wait_for_timeout(300)
        assert share_of(picture(page, "#scatter"), colours[0]) == 0, "a value that is switched off"
        page.locator("#column-legend input").first.check()

        click_point(page, 3)
        until(page, "TE.state.images[0] === 3 && TE.byId('case').textContent.startsWith('case3')")
        page.wait_for_selector("#similar button:has-text('this volume'):has-text('case3')")
        page.locator("#similar button").nth(1).click()
        until(page, "TE.state.images[0] !== 3")
        page.locator("#column-legend button").first.click()
        page.wait_for_selector("#chosen button:nth-of-type(3) img")
        page.keyboard.press("c")
        page.wait_for_selector("#column-range:has-text('from 20 on the left')")
        page.focus("#scatter")
        page.keyboard.press("ArrowLeft")
        until(page, "TE.byId('spoken').textContent.includes('age')")
        marks = page.locator("#pane-0 .cut").first.locator(".mark").all_inner_texts()
        assert marks == ["A", "P", "L", "R"] and not faults
        page.evaluate("TE.state.documents[0].marks = []; TE.emit('image', 0)")  # as of a file that states no sides
        assert page.locator("#pane-0 .mark").count() == 0 and "R, L:" not in page.inner_text("#pane-0 .facts")
        assert page.locator("#pane-0 .box img").first.get_attribute("alt") == "axial plane" and not faults
        page.select_option("#colour", "label")
        for box in page.locator("#column-legend input").all():
            box.uncheck()
        page.focus("#scatter")
        page.keyboard.press("ArrowLeft")
        until(page, "TE.byId('spoken').textContent === 'Nothing that is switched on lies there.'")
        assert not faults

        refusal = {"status": 422, "content_type": "application/json", "body": '{"error": "it is damaged"}'}
        page.route("**/api/runs/0/plane", lambda route: route.fulfill(**refusal))
        page.reload()
        page.wait_for_selector("body[data-ready=yes]")
        assert (
            page.inner_text("#plane-title") == "No plane: it is damaged" == f"No plane: {page.inner_text('#message')}"
        )
        page.close()


def test_images_with_scores_are_chosen_in_the_plane_and_not_on_the_slide(
    browser: Any, finished: Callable[..., Any]
) -> None:
    """A point is a whole slide: nothing is drawn for it on the slide, and a lasso there chooses nothing."""
    with client_of(finished("anomaly", "slides").out) as client:
        page, faults = visit(browser, client)
        until(page, "!!TE.plane")
        page.keyboard.press("x")
        until(page, "TE.state.chosen.length === 1")
        page.wait_for_timeout(200)
        page.keyboard.press("0")
        chosen = page.evaluate("TE.state.chosen")
        assert page.evaluate("TE.plane.image[TE.state.chosen[0]] === TE.state.images[0]")
        page.keyboard.press("l")
        drag(page, "#pane-0 .stage", 100)
        page.wait_for_timeout(200)
        assert page.evaluate("TE.state.chosen") == chosen and not faults
        page.close()


def test_groups_are_seen_in_the_plane_at_every_level(browser: Any, finished: Callable[..., Any]) -> None:
    with client_of(finished("cluster", "subjects").out) as client:
        page, faults = visit(browser, client)
        page.wait_for_selector("#plane-title:has-text('6 subjects')")
        page.fill("#level", "2")
        page.select_option("#colour", "")
        page.wait_for_timeout(300)
        colours = page.evaluate("TE.level().colours")
        assert len(colours) == 2 and all(share_of(picture(page, "#scatter"), colour) > 0 for colour in colours)
        page.locator("#legend button").first.click()
        members = [row for row, fine in enumerate(page.evaluate("[...TE.plane.fine]")) if fine == 1]
        assert page.evaluate("TE.state.chosen") == members and page.locator("#chosen button").count() == len(members)
        assert not page.locator("#edit").is_visible(), "groups have no names to save"
        page.click("#means-on")
        assert page.locator("#means-large").evaluate("(image) => image.naturalWidth") > 500 and not faults
        page.keyboard.press("1")
        assert page.evaluate("TE.state.panes") == "plane", "keys do nothing behind a dialog"
        page.keyboard.press("Escape")
        page.wait_for_selector("#means-dialog", state="hidden")
        assert page.evaluate("TE.state.chosen") == members
        subject = page.evaluate("TE.plane.names[TE.plane.point_of[0]]")
        assert page.inner_text("#case").startswith(f"{subject} · ")
        page.close()


def test_one_picture_lies_over_another(browser: Any, finished: Callable[..., Any]) -> None:
    """Sections that were registered open with one stain over the other; before and after stand side by side."""
    with client_of(finished("register", "sections").out) as client:
        page, faults = visit(browser, client)
        assert page.input_value("#overlay") == "picture: PanCK"
        page.wait_for_timeout(400)
        seen = []
        for opacity in ("0", "50", "100"):
            page.fill("#opacity", opacity)
            page.wait_for_timeout(300)
            seen.append(picture(page, "#pane-0 .stage").astype(float))
        assert np.abs(seen[1] - (seen[0] + seen[2]) / 2).mean() < 3 < np.abs(seen[0] - seen[2]).mean()
        assert not faults
        page.close()
    with client_of(finished("harmonize", "volumes").out) as client:
        page, faults = visit(browser, client)
        until(page, "TE.state.panes === 'two'")
        before, after = (page.locator(f"#pane-{pane} .cut img").first for pane in (0, 1))
        until(page, "document.querySelectorAll('#pane-1 .cut img[src]').length > 2")
        assert "pictures/0" in before.get_attribute("src") and "pictures/1" in after.get_attribute("src")
        boxes = [page.locator(f"#pane-{pane} .cut .box").first.bounding_box() for pane in (0, 1)]
        assert (boxes[0]["width"], boxes[0]["y"]) == pytest.approx((boxes[1]["width"], boxes[1]["y"]), abs=1)
        assert not faults
        page.close()


def test_a_page_of_volumes_opens_from_a_disk(browser: Any, finished: Callable[..., Any], tmp_path: Path) -> None:
    out = finished("cluster", "volumes").out
    path, faults = viewing.write_static(out, tmp_path / "page"), Faults()
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.on("pageerror", lambda error: faults.note(str(error)))
    page.on("requestfailed", lambda request: faults.note(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready=yes]")
    slice_of = ".cut img[alt^='axial']"
    first = page.locator(slice_of).get_attribute("src")
    page.fill("input[aria-label='axial plane']", "10")
    until(page, f"document.querySelector({slice_of!r}).src !== {first!r}")
    with client_of(out) as client:
        served, _ = visit(browser, client)
        served.fill("input[aria-label='axial plane']", "10")
        served.wait_for_timeout(700)
        page.mouse.move(0, 0)
        same = [picture(one, ".cut .frame").astype(float) for one in (page, served)]
        served.close()
    assert np.abs(same[0] - same[1]).mean() < 4 and same[0].std() > 20, "as the viewer shows it"
    page.keyboard.press("p")
    until(page, "!!TE.plane")
    page.hover("#scatter", position=dict(zip("xy", page.evaluate("TE.scatterPoint(0)"), strict=True)))
    page.wait_for_selector("#tip:has-text('cluster')")
    page.locator("#legend button").first.click()
    assert page.evaluate("TE.state.chosen.length") and not faults
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("run", [("cluster", "slides"), ("cluster", "subjects"), ("anomaly", "films")], ids="-".join)
def test_the_page_can_be_used_without_a_pointer_and_with_weak_eyes(
    browser: Any, finished: Callable[..., Any], run: tuple[str, str], scheme: Any
) -> None:
    with client_of(finished(*run).out) as client:
        page, _ = visit(browser, client, color_scheme=scheme)
        if run == ("cluster", "slides"):
            page.keyboard.press("p")
            page.locator("#legend input").first.uncheck()
            page.locator("#legend button").nth(1).click()
            page.wait_for_selector("#chosen button")
        elif run == ("anomaly", "films"):
            page.wait_for_selector(".film img")
        assert page.evaluate(CHECK) == []
        page.keyboard.press("Tab")
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) == "solid", "what has the focus is framed"
        page.close()
