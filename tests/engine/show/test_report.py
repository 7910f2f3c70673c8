"""The report: one page, offline, nothing in it that a name could run."""

import base64
import io
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import jinja2
import numpy as np
import pytest
from matplotlib.image import imread, imsave

from tile_engine.engine.show import embedded, page_room, report
from tile_engine.engine.show.cautions import cautions_of
from tile_engine.engine.show.cluster_sections import by_slide_section, k_section, maps_section
from tile_engine.engine.show.legend import LegendEntry
from tile_engine.engine.show.page import Caution, Column, Image, ReportPage, Section, Table
from tile_engine.engine.show.run_sections import (
    SlideRow,
    StageTime,
    rejected_section,
    settings_section,
    slides_section,
    times_section,
)

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>.svs"
LEGEND = [LegendEntry(1, "cluster 1", 0.7), LegendEntry(2, EVIL, 0.3)]
COMEBACKS = [SimpleNamespace(clusters=k, rand=0.8, chance=0.3, jaccard=(0.9, 0.7), passes=k < 9) for k in (2, 3, 9)]
SCORES = [
    {"k": k, "seed": s, "index": index, "value": value}
    for s in (0, 1)
    for index, best in (("silhouette", 3), ("dunn", 9))
    for k in (2, 3, 9)
    for value in [1.0 + s if k == best else 0.1]
]


class Page(HTMLParser):
    """Tags with their attributes, and the text, as a browser sees them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text.append(data)


class Outline(HTMLParser):
    """The body as (tag, attributes) where a tag opens, "/tag" where it closes, and the text between, in order."""

    def __init__(self, text):
        super().__init__()
        self.events = []
        self.feed(text[text.index("<body>") :])

    def handle_starttag(self, tag, attributes):
        self.events.append((tag, dict(attributes)) if attributes else tag)

    def handle_endtag(self, tag):
        self.events.append(f"/{tag}")

    def handle_data(self, data):
        if data.strip():
            self.events.append(f"'{data.strip()}'")


def picture(path, height=40, width=60):
    imsave(path, np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))
    return path


def written(folder, page):
    return report.write_report(folder / "report.html", page).read_text("utf-8")


def full(folder):
    counts = np.array([[10, 10, 10], [9, 0, 0]])
    image = Image(picture(folder / "a b#.png"), EVIL, EVIL)
    return ReportPage(
        EVIL,
        EVIL,
        ((EVIL, EVIL),),
        (*cautions_of(7, effective=0.5), Caution(EVIL, EVIL)),
        (
            maps_section([image]),
            slides_section([SlideRow(EVIL, EVIL, (0.5, 0.5), (10, 20), 0.5, 7, (0.5,))], legend=LEGEND),
            rejected_section([(EVIL, EVIL, EVIL)]),
            k_section(SCORES, comebacks=COMEBACKS, text=(EVIL,), shown=3, figure=folder / "missing.png"),
            by_slide_section(counts, names=[EVIL, "b", "c"], legend=LEGEND),
            times_section([StageTime(EVIL, 1, 2, 3, 4)]),
            settings_section({EVIL: EVIL, "nothing": None, "on": True, "list": [1, 2]}),
            Section(EVIL, (EVIL,), (), (Table((Column(EVIL, "code"),), ((EVIL,),), EVIL),)),
        ),
        EVIL,
    )


def test_nothing_from_outside_becomes_markup(tmp_path):
    page = Page(written(tmp_path, full(tmp_path)))
    assert not [tag for tag, _ in page.tags if tag in ("script", "iframe", "object", "link", "form", "base")]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.text.count(EVIL) > 15  # shown as it is


def test_no_request_leaves_the_page(tmp_path):
    text = written(tmp_path, full(tmp_path))
    page = Page(text)
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert all(a["src"].startswith("data:image/") for tag, a in page.tags if tag == "img")
    assert all(not re.match(r"(?i)[a-z]+:|//", a["href"]) for _, a in page.tags if "href" in a)
    assert "http://" not in text and "https://" not in text and "@import" not in text and "url(" not in text


def test_links_to_pictures_are_relative_and_quoted(tmp_path):
    (tmp_path / "maps").mkdir()
    image = Image(picture(tmp_path / "maps" / "a b#%.png"))
    page = Page(written(tmp_path, ReportPage("t", sections=(Section("Maps", figures=(image,)),))))
    assert [a["href"] for tag, a in page.tags if tag == "a"] == ["maps/a%20b%23%25.png"]


def test_large_pictures_are_embedded_as_smaller_copies_and_small_ones_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "MAX_EMBEDDED_SIDE", 300)
    monkeypatch.setattr(embedded, "MAX_VERBATIM_BYTES", 20_000)
    images = (Image(picture(tmp_path / "small.png")), Image(picture(tmp_path / "large.png", 400, 900)))
    page = Page(written(tmp_path, ReportPage("t", sections=(Section("Maps", figures=images),))))
    sources = [a["src"] for tag, a in page.tags if tag == "img"]
    contents = [base64.b64decode(source.split(",")[1]) for source in sources]
    assert contents[0] == (tmp_path / "small.png").read_bytes()
    assert sources[1].startswith("data:image/jpeg")
    assert imread(io.BytesIO(contents[1]), format="jpg").shape == (133, 300, 3)


def test_pictures_of_a_page_share_its_bytes(tmp_path, monkeypatch):
    """Ten pictures that one by one would fit take no more than the page may, each smaller; none is less than can be read."""
    text = len(report.report_html(ReportPage("t", sections=(Section("Maps"),)), folder=tmp_path))
    monkeypatch.setattr(page_room, "MAX_PAGE_BYTES", text + 10_000 + 400_000)  # as text a third more
    monkeypatch.setattr(embedded, "MIN_EMBEDDED_SIDE", 100)
    noise = np.random.default_rng(0).integers(0, 255, (400, 600, 3), np.uint8)
    imsave(tmp_path / "noise.png", noise)
    image = Image(tmp_path / "noise.png")
    alone, among_ten = (
        [base64.b64decode(a["src"].split(",")[1]) for tag, a in page.tags if tag == "img"]
        for page in (
            Page(written(tmp_path, ReportPage("t", sections=(Section("Maps", figures=(image,) * n),)))) for n in (1, 10)
        )
    )
    assert len(alone[0]) > 60_000
    assert 150_000 < sum(map(len, among_ten)) <= 300_000


def test_pictures_past_the_bound_are_linked(tmp_path):
    images = tuple(Image(picture(tmp_path / f"{i}.png"), f"slide {i}") for i in range(5))
    page = Page(written(tmp_path, ReportPage("t", sections=(Section("Maps", figures=images, embedded=3),))))
    assert sum(tag == "img" for tag, _ in page.tags) == 3
    assert [a["href"] for tag, a in page.tags if tag == "a"] == [f"{i}.png" for i in range(5)]


def test_a_missing_picture_is_said_not_raised(tmp_path):
    assert "not available" in written(tmp_path, ReportPage("t", sections=(maps_section([Image(tmp_path / "no.png")]),)))


def test_the_map_comes_before_every_table(tmp_path):
    text = written(tmp_path, full(tmp_path))
    assert text.index("<img") < text.index("<table")


def test_the_same_page_gives_the_same_bytes(tmp_path):
    assert written(tmp_path, full(tmp_path)) == written(tmp_path, full(tmp_path))


def test_numbers_and_shares_read_well(tmp_path):
    columns = (Column("n", "number"), Column("s", "share"), Column("t"))
    table = Table(columns, ((1234567, 0.1234, None), (0.000123456, float("nan"), "x")))
    text = written(tmp_path, ReportPage("t", sections=(Section("S", tables=(table,)),)))
    for shown in (">1,234,567<", ">12.3 %<", ">0.0001235<", ">–<"):
        assert shown in text


def test_a_table_with_a_ragged_row_is_refused():
    with pytest.raises(ValueError, match="one cell a column"):
        Table((Column("a"), Column("b")), ((1,),))
    with pytest.raises(ValueError, match="number"):
        Column("a", "html")


def test_a_page_holds_its_parts_in_this_order(tmp_path):
    image = Image(picture(tmp_path / "a.png"), "caption", "detail")
    columns = (Column("c", "share", (0, 10, 255)), Column("n", "number"), Column("t"))
    table = Table(columns, ((0.254, 1234, None), (7.0, 0.5, "x")), "rows", frozenset({1}))
    page = ReportPage(
        "title",
        "subtitle",
        (("slides", "3"),),
        (Caution("Beware.", "why"),),
        (
            Section("first", ("words",), (image, image), (table,), embedded=1),
            Section("second", figures=(Image(tmp_path / "no.png", "gone"),), folded=True),
        ),
        "footer",
    )
    events = Outline(written(tmp_path, page)).events
    source = "data:image/png;base64," + base64.b64encode(image.path.read_bytes()).decode()
    caption = ["strong", "'caption'", "/strong", "span", "'detail'", "/span"]
    link = ("a", {"href": "a.png"})
    figure = ("img", {"src": source, "width": "38", "height": "26", "alt": "caption"})
    number, text = ("td", {"class": "number"}), ("td", {"class": "text"})
    assert events == [
        *("body", "header", "h1", "'title'", "/h1", ("p", {"class": "answer"}), "'subtitle'", "/p"),
        *(("div", {"class": "first", "role": "note"}), "h2", "'What to look at first'", "/h2", "ul", "li"),
        *("strong", "'Beware.'", "/strong", "span", "'why'", "/span", "/li", "/ul", "/div"),
        *(("dl", {"class": "facts"}), "div", "dt", "'slides'", "/dt", "dd", "'3'", "/dd", "/div", "/dl"),
        *("/header", "nav", ("a", {"href": "#s0"}), "'first'", "/a"),
        *(("a", {"href": "#s1"}), "'second'", "/a", "/nav", "main"),
        *(("section", {"id": "s0"}), "h2", "'first'", "/h2", "p", "'words'", "/p"),
        *("figure", link, figure, "/a", "figcaption", *caption, "/figcaption", "/figure"),
        *(("p", {"class": "linked"}), link, *caption, "/a", "/p"),
        *(("div", {"class": "scroll"}), "table", "caption", "'rows'", "/caption", "thead", "tr"),
        *(("th", {"scope": "col", "class": "share"}), ("i", {"class": "chip", "style": "background:#000aff"}), "/i"),
        *("'c'", "/th", ("th", {"scope": "col", "class": "number"}), "'n'", "/th"),
        *(("th", {"scope": "col", "class": "text"}), "'t'", "/th", "/tr", "/thead", "tbody", "tr"),
        *(("td", {"class": "share", "style": "--share:25%"}), "'25.4 %'", "/td", number, "'1,234'", "/td"),
        *(text, "'–'", "/td", "/tr", ("tr", {"class": "marked"})),
        *(("td", {"class": "share", "style": "--share:100%"}), "'700.0 %'", "/td", number, "'0.5'", "/td"),
        *(text, "'x'", "/td", "/tr", "/tbody", "/table", "/div", "/section"),
        *(("section", {"id": "s1"}), "details", "summary", "h2", "'second'", "/h2", "/summary"),
        *(("p", {"class": "linked"}), "strong", "'gone'", "/strong", "em", "'not available'", "/em", "/p"),
        *("/details", "/section", "/main", "footer", "'footer'", "/footer", "/body", "/html"),
    ]


def test_a_name_in_the_templates_language_is_shown_as_it_is(tmp_path):
    name = "{{ 7 * 7 }} {% if %} {# gone #}"
    page = Page(written(tmp_path, ReportPage(name, sections=(Section(name, (name,)),))))
    assert page.text.count(name) == 4  # title, heading of the page, heading of the section, paragraph


def test_a_template_that_asks_for_what_it_was_not_given_fails(tmp_path):
    with pytest.raises(jinja2.UndefinedError, match="stylesheet"):
        report._environment(tmp_path, ReportPage("t")).get_template("report.html.jinja").render(page=ReportPage("t"))
