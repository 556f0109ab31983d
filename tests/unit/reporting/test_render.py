"""The page: everything escaped, nothing fetched, nothing that cannot be seen."""

import base64
import hashlib
import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from ctiforge.reporting.render import render
from ctiforge.reporting.view import (
    Facts,
    Finding,
    FindingGroup,
    Findings,
    Note,
    Piece,
    Report,
    Section,
    ShownPassage,
    Verdict,
)
from ctiforge.tables import Cell, Column, IntervalPlot, Mark, Table

VOID = {"meta", "line", "circle", "rect", "polyline", "input"}


class Page(HTMLParser):
    """Reads a page; fails where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.seen = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["script"], ["style"]):
            self.seen.append(data)

    @property
    def text(self):
        return "".join(self.seen)


def report(text):
    """A report that has this text wherever there is one."""
    mark = Mark("bad", text, text)
    cells = (
        Cell(text, below=text),
        Cell(mark=mark),
        Cell(plot=IntervalPlot(text, 50, 40, 60, 50)),
        Cell(text, shade=2),
    )
    table = Table(text, tuple(Column(text) for _ in cells), (cells,), note=text)
    finding = Finding(text, mark, text, (text,), (ShownPassage((Piece(text), Piece(text, True)), text),))
    findings = Findings((FindingGroup(text, text, (finding,), more=3),), (text,))
    blocks = (table, Table(text, table.columns, table.rows, is_folded=True), Facts(text, ((text, text),)), findings)
    section = Section("errors", text, text, (*blocks, Note((text,), "unsure")))
    verdict = Verdict(mark, text, (text,), ((text, text),), mark, (text,), (text,), (text,))
    return Report(text, text, text, ((text, text),), verdict, (section,), text)


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\" ' & <!-- ]]> </style> {{ 7*7 }} `"


def test_hostile_text_is_shown_and_never_becomes_markup():
    plain, page = Page(render(report("text"))), Page(render(report(HOSTILE)))
    assert page.tags == plain.tags
    assert HOSTILE in page.text
    assert "49" not in page.text
    assert {name for name, _ in page.attributes} == {name for name, _ in plain.attributes}


def test_what_cannot_be_seen_or_turns_text_around_is_shown_as_its_number():
    page = render(report("a\x00b\x1b[31mc\u202ed\u2066e\ufefff\ud800g"))
    assert "a[U+0000]b[U+001B][31mc[U+202E]d[U+2066]e[U+FEFF]f[U+D800]g" in page
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)
    page.encode("utf-8")


def test_nothing_is_fetched_and_only_its_own_script_and_style_run():
    page = render(report(HOSTILE))
    parsed = Page(page)
    assert {value for name, value in parsed.attributes if name == "href"} == {"#content", "#verdict", "#errors"}
    assert not {"src", "action", "style", "onload", "xlink:href"} & {name for name, _ in parsed.attributes}
    assert not re.search(r"url\(|@import|https?:", page)
    policy = next(value for name, value in parsed.attributes if name == "content" and "-src" in value)
    assert policy.startswith("default-src 'none';")
    for kind in ("style", "script"):
        inside = re.search(rf"<{kind}>(.*?)</{kind}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_the_same_report_gives_the_same_page():
    assert render(report("x")) == render(report("x"))


def test_it_says_what_a_screen_reader_needs():
    page = render(report("text"))
    assert '<html lang="en">' in page
    parsed = Page(page)
    assert {"main", "nav", "header", "footer", "h1", "caption"} <= set(parsed.tags)
    assert parsed.tags.count("h1") == 1
    assert 'scope="row"' in page
    assert 'scope="col"' in page
    for image in re.findall(r"<svg[^>]*>", page):
        assert 'aria-label="' in image or 'aria-hidden="true"' in image


def test_a_section_without_blocks_and_a_report_without_sections_are_pages_too():
    bare = Verdict(Mark("plain", "–", "no verdict"), "There is none.")
    Page(render(Report("run", "title", "", (), bare)))
    Page(render(Report("run", "title", "", (), bare, (Section("errors", "Errors", "None.", ()),))))


@given(st.text(min_size=1, max_size=60))
def test_any_text_keeps_the_shape_of_the_page(text):
    assert Page(render(report(text))).tags == Page(render(report("text"))).tags
