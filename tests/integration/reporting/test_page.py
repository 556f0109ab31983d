"""The page in a real browser: quiet, alone, at home on a phone and on paper, and readable without its script."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.browser import CHROMIUM, Page, chromium
from ctiforge.records.decision import Check, Decision
from ctiforge.records.evaluation import ModelInfo, TestSetInfo
from ctiforge.reporting.build import build_report
from ctiforge.reporting.label_gaps import find_label_gaps
from ctiforge.reporting.reading import read_run
from ctiforge.reporting.render import render
from ctiforge.store.objects import open_store
from tests.unit.reporting import making

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine (Debian: apt-get install chromium)")

HOSTILE = (
    "\x00\x1b[31m \u202eevil\u202c </script><script>console.log('ran')</script> "
    "<img src=https://example.invalid/x.png onerror=console.log('ran')> " + "A" * 20_000
)
DECISION = Decision(
    level=0.95,
    looks=1,
    line="extract",
    candidate=ModelInfo(name="tuned", version="1"),
    against=ModelInfo(name="champion", version="0"),
    test_set=TestSetInfo(name="set", version="1", content_hash="abc", articles=30),
    passed=False,
    reasons=("macro-F1 0.870 against 0.900: gain −0.030, at most −0.010",),
    checks=(
        Check(
            figure="macro_f1",
            label="macro-F1",
            role="guardrail",
            against="champion",
            direction="higher",
            unit="share",
            before=0.9,
            after=0.87,
            gain=-0.03,
            low=-0.08,
            high=-0.01,
            level=0.95,
            margin=0.0,
            articles=30,
            verdict="worse",
        ),
    ),
)
WIDTHS = (390, 1280)
SHOWN = "[...document.querySelectorAll('#errors .findings li')].filter((item) => !item.hidden).length"
PLACE = """(() => {
  const place = document.querySelector("%s").getBoundingClientRect();
  return [place.left, place.top, place.right, place.bottom];
})()"""
MARKS_PLACES = """[...document.querySelectorAll("section:not(#lineage) .scroll .said")]
  .filter((each) => each.checkVisibility()).map((each) => each.getBoundingClientRect().right)"""
WEAK_TEXT = """
(() => {
  const parse = (text) => {
    const numbers = text.match(/[\\d.]+/g).map(Number);
    const scale = text.startsWith("color(") ? 1 : 255;
    return [...numbers.slice(0, 3).map((each) => each / scale), numbers[3] ?? 1];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = parse(getComputedStyle(each).backgroundColor);
      if (color[3] > 0) return color;
    }
    return [1, 1, 1, 1];
  };
  const isText = (node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim();
  const weak = [];
  for (const element of document.body.querySelectorAll("*:not(script)")) {
    if (![...element.childNodes].some(isText)) continue;
    const style = getComputedStyle(element);
    const color = parse(element instanceof SVGElement ? style.fill : style.color);
    const [one, other] = [light(color.slice(0, 3)), light(behind(element).slice(0, 3))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) weak.push(`${element.className.baseVal ?? element.className} ${contrast.toFixed(2)}`);
  }
  return [...new Set(weak)];
})()
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A report of each line."""
    folder = tmp_path_factory.mktemp("report")
    store = open_store(str(folder / "store"))
    runs = {
        "extract": making.extract_run(store, folder / "extract", HOSTILE, DECISION.model_dump(mode="json")),
        "os-bert": making.os_run(store, folder / "os"),
    }
    for line, run in runs.items():
        files = read_run(store, run)
        gaps = find_label_gaps(files, Path("gaps.jsonl"))
        page = render(build_report(files, lambda text: [("Linux", 0, 4)], gaps))
        (folder / f"{line}.html").write_text(page, encoding="utf-8")
    return {line: folder / f"{line}.html" for line in runs}


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with chromium() as page:
        yield page


@pytest.mark.parametrize("line", ["extract", "os-bert"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("is_dark", [False, True])
def test_it_says_nothing_asks_for_nothing_and_fits(line, width, is_dark, pages, browser, tmp_path) -> None:
    browser.said.clear()
    browser.asked.clear()
    browser.open(pages[line], width=width, is_dark=is_dark)
    browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert browser.run("document.documentElement.scrollWidth") == width
    browser.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 20_000
    assert ("[U+202E]evil[U+202C] </script>" in browser.run("document.body.textContent")) == (line == "extract")
    assert browser.said == []
    assert set(browser.asked) == {pages[line].as_uri()}


@pytest.mark.parametrize("line", ["extract", "os-bert"])
def test_on_a_phone_the_verdict_is_on_the_screen(line, pages, browser) -> None:
    browser.open(pages[line], width=400)
    assert browser.run("document.documentElement.scrollWidth") == 400
    gate = ["#verdict .asked .mark"] if line == "extract" else []
    for each in ("#verdict .mark", *gate, "#verdict .sentence", "#verdict .numbers dd:last-child"):
        left, top, right, bottom = browser.run(PLACE % each)
        assert 0 <= left < right <= 400, each
        assert 0 <= top < bottom <= 800, each
    # in each table that has one the verdict is beside the name; what is further right scrolls in a box of its own
    marks = browser.run(MARKS_PLACES)
    assert marks
    assert max(marks) <= 400
    boxes = browser.run("[...document.querySelectorAll('.scroll')].map((e) => e.getBoundingClientRect().right)")
    assert max(boxes) <= 400


@pytest.mark.parametrize("line", ["extract", "os-bert"])
@pytest.mark.parametrize("is_dark", [False, True])
def test_text_stands_out_from_what_is_behind_it(line, is_dark, pages, browser) -> None:
    browser.open(pages[line], is_dark=is_dark)
    assert browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })") is None
    assert browser.run(WEAK_TEXT) == [], "WCAG AA asks for a contrast of 4.5"


def test_errors_can_be_searched_and_are_all_back_afterwards(pages, browser) -> None:
    browser.open(pages["extract"])
    everything = browser.run(SHOWN)
    assert everything > 8
    browser.run("document.querySelector('#errors .filter input').value = '/q /x 3'")
    browser.run("document.querySelector('#errors .filter').dispatchEvent(new Event('input'))")
    assert browser.run(SHOWN) == 1
    assert browser.run("document.querySelector('#errors .filter output').textContent") == "1 shown"
    browser.run("document.querySelector('#errors .filter input').value = ''")
    browser.run("document.querySelector('#errors .filter select').value = 'invented'")
    browser.run("document.querySelector('#errors .filter').dispatchEvent(new Event('input'))")
    assert browser.run(SHOWN) == 8
    browser.run("document.querySelector('#errors .filter select').value = ''")
    browser.run("document.querySelector('#errors .filter').dispatchEvent(new Event('input'))")
    assert browser.run(SHOWN) == everything


def test_without_its_script_everything_is_there_and_the_search_is_not(pages, browser) -> None:
    browser.open(pages["extract"], runs_scripts=False)
    assert browser.run("getComputedStyle(document.querySelector('#errors .filter')).display") == "none"
    assert browser.run("document.querySelectorAll('details:not([open])').length") > 0
    assert "format c: /q /x 3" in browser.run("document.body.textContent")


def test_on_paper_nothing_is_folded_cut_or_left_out(pages, browser) -> None:
    browser.open(pages["extract"], width=690, runs_scripts=False)
    browser.send("Emulation.setEmulatedMedia", media="print")
    assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    folded = "[...document.querySelectorAll('details:not([open]) tbody')].map((e) => e.getBoundingClientRect().height)"
    assert min(browser.run(folded)) > 0
    assert browser.run("[...document.querySelectorAll('table')].filter((e) => e.offsetWidth > 690).length") == 0
    browser.open(pages["extract"])
    assert len(re.findall(rb"/Type\s*/Page\b", browser.pdf())) > 3
    assert browser.run("document.querySelectorAll('details:not([open])').length") > 0, "printing folds them again"


def test_the_first_step_of_the_keyboard_goes_past_the_contents(pages, browser) -> None:
    browser.open(pages["extract"])
    for kind in ("keyDown", "keyUp"):
        browser.send("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert browser.run("document.activeElement.getAttribute('href')") == "#content"
    assert browser.run("document.activeElement.getBoundingClientRect().left") > 0
