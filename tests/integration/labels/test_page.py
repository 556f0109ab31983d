"""The labeling page in a real Chromium, over a real server: by keys, by clicks, and what the registry then holds."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import pytest

from benchmarks.browser import CHROMIUM, Page, chromium
from ctiforge.data.labels import load_label, read_labels, save_label
from ctiforge.labels.page.app import make_app
from ctiforge.labels.page.candidates import Origin
from ctiforge.labels.page.reading import read_articles
from ctiforge.records.article import ArticleRecord
from ctiforge.records.human_label import HumanLabel
from ctiforge.store.objects import ObjectStore, open_store
from tests.labels import commands, human_label

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine (Debian: apt-get install chromium)")
TEXT = (
    '🐍 The actor ran whoami /all and then net group "Domain Admins" /domain.\n\n'
    "Later winword.exe started powershell.exe, which set HKCU\\Software\\Run\\Updater.\n" + "More words follow. " * 40
)
OTHER = "A second report. They ran ipconfig /all on the host."
TOKEN = "token-of-the-test"


class Labeling:
    """A page that is served and open in a browser."""

    def __init__(self, page: Page, address: str, store: ObjectStore, hash_: str) -> None:
        self.page = page
        self.address = address
        self.store = store
        self._hash = hash_

    def open(self, *, width: int = 1280, is_dark: bool = False, path: str = f"/?token={TOKEN}") -> None:
        self.page.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.page.send("Emulation.setEmulatedMedia", media="", features=[scheme])
        self.page.send("Page.navigate", url=self.address + path)
        self.page.wait_for("Page.loadEventFired")

    def until(self, condition: str) -> None:
        """Wait until a condition of the page holds."""
        waited = "new Promise((done) => { const look = () => (%s) ? done(true) : setTimeout(look, 20); look(); })"
        assert self.page.run(waited % condition)

    def until_saved(self) -> HumanLabel:
        self.until("!isUnsaved() && !sending && document.getElementById('saved').textContent === 'saved'")
        found = load_label(self.store, self._hash, "ann")
        assert found
        return found[0]

    def press(self, key: str, code: str = "", shift: bool = False, ctrl: bool = False) -> None:
        event = {"key": key, "code": code or key, "modifiers": 8 * shift + 2 * ctrl}
        self.page.send("Input.dispatchKeyEvent", type="keyDown", **event)
        self.page.send("Input.dispatchKeyEvent", type="keyUp", **event)

    def digit(self, number: int, shift: bool = False) -> None:
        self.press("!@#$%^&"[number - 1] if shift else str(number), f"Digit{number}", shift)

    def select(self, text: str) -> None:
        """Select a passage of the article, which may lie across marks."""
        assert self.page.run(
            f"""((wanted) => {{
                const root = document.getElementById("text"), at = root.textContent.indexOf(wanted);
                const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT), range = document.createRange();
                let from = 0, node;
                while ((node = walk.nextNode())) {{
                    const to = from + node.length;
                    if (at >= from && at < to) range.setStart(node, at - from);
                    if (at + wanted.length > from && at + wanted.length <= to) {{
                        range.setEnd(node, at + wanted.length - from);
                        getSelection().removeAllRanges();
                        getSelection().addRange(range);
                        return String(getSelection()) === wanted;
                    }}
                    from = to;
                }}
                return false;
            }})({json.dumps(text)})"""
        )

    def go_to(self, value: str) -> None:
        """Make an item the one that keys speak of."""
        items = "[...document.querySelectorAll('.items li')]"
        self.page.run(f"{items}.find((each) => each.querySelector('code').textContent === {json.dumps(value)}).click()")


def article(text: str, id_: str) -> ArticleRecord:
    return human_label(text, id_=id_, url="https://x.invalid/1").article.model_copy(
        update={"annotator": None, "labelled_by": "model", "title": f"Report {id_}"}
    )


@pytest.fixture
def serve(tmp_path: Path, served) -> Iterator[Callable[..., Labeling]]:
    """Serves articles, which a browser is then sent to."""
    store = open_store(str(tmp_path / "store"))
    with ExitStack() as stack:

        def go(page: Page, *articles: ArticleRecord, finds=lambda each: ()) -> Labeling:
            app = make_app(articles, store, annotator="ann", token=TOKEN, origins=finds)
            return Labeling(page, stack.enter_context(served(app)), store, articles[0].content_hash)

        yield go


def finds(each: ArticleRecord) -> list[Origin]:
    return [Origin("model", "champion 3", commands("whoami /all", "invented.exe -x"))] if each.id == "1" else []


def values(label: HumanLabel) -> list[tuple[str, str]]:
    return [(each.type, each.value) for each in label.article.observables]


def test_a_person_labels_an_article_with_keys_alone(serve) -> None:
    with chromium() as page:
        labeling = serve(page, article(TEXT, "1"), article(OTHER, "2"), finds=finds)
        save_label(labeling.store, human_label(TEXT, {"cmdline": ["whoami /all"]}, by="bob", id_="1"))
        labeling.open()
        labeling.until("document.querySelectorAll('.items li').length > 2")
        assert "token" not in page.run("location.href")
        assert page.run("document.querySelector('mark').dataset.letters") == "PMR"
        assert "bob" not in page.run("document.body.innerText")

        labeling.go_to("whoami /all")
        labeling.press("a")
        labeling.go_to("invented.exe -x")
        labeling.press("r")
        # a whole passage that a rule has already, and two ends of a lineage
        labeling.select("Domain Admins")
        labeling.digit(1)
        labeling.select("winword.exe")
        labeling.digit(5)
        labeling.select("powershell.exe")
        labeling.digit(5)
        labeling.digit(1, shift=True)
        labeling.digit(4, shift=True)
        label = labeling.until_saved()
        assert values(label) == [("cmdline", "whoami /all"), ("cmdline", "Domain Admins")]
        assert label.article.labelled_types == ("cmdline", "scheduled_tasks")
        assert [(each.type, each.value) for each in label.positives] == [
            ("process_lineage", "winword.exe -> powershell.exe")
        ]
        assert [each.value for each in label.rejected] == ["invented.exe -x"]
        assert label.sources == ("labeling page",)

        # edit the added one: what only the person found is replaced
        labeling.go_to("Domain Admins")
        labeling.press("e")
        labeling.until("document.getElementById('editor').open")
        page.run("document.getElementById('value').value = 'net group \"Domain Admins\" /domain'")
        labeling.press("Enter", ctrl=True)
        # a dialog tells that it was closed after it is
        labeling.until("[...items.values()].some((each) => each.verdict && each.value.startsWith('net group'))")
        assert values(labeling.until_saved()) == [
            ("cmdline", "whoami /all"),
            ("cmdline", 'net group "Domain Admins" /domain'),
        ]
        labeling.press("u")
        assert ("cmdline", "Domain Admins") in values(labeling.until_saved())
        labeling.press("U", shift=True)
        assert ("cmdline", "Domain Admins") not in values(labeling.until_saved())

        # what was said is there after the page is opened anew, which needs no token by now
        labeling.open(path="/")
        labeling.until("document.querySelectorAll('li.accepted').length === 3")
        assert page.run("document.querySelector('#type-cmdline .looked').textContent") == "✓ looked at: these are all"
        assert (
            page.run("document.querySelector('#type-scheduled_tasks .looked').textContent")
            == "✓ looked at: nothing here"
        )
        labeling.press("n")
        labeling.until("document.getElementById('title').textContent === 'Report 2'")
        assert page.said == []
        assert all(url.startswith((labeling.address, "data:", "about:")) for url in page.asked)


def test_what_cannot_be_saved_is_said_and_saved_later(serve) -> None:
    with chromium() as page:
        labeling = serve(page, article(TEXT, "1"), finds=finds)
        labeling.open()
        labeling.until("document.querySelectorAll('.items li').length > 2")
        page.run("window.there = window.fetch; window.fetch = () => Promise.reject(new TypeError('away')); null")
        labeling.digit(2, shift=True)
        labeling.until("document.getElementById('saved').textContent.startsWith('not saved')")
        assert not list(read_labels(labeling.store))
        page.run("window.fetch = window.there; window.dispatchEvent(new Event('online')); null")
        assert labeling.until_saved().article.labelled_types == ("registry",)


def test_what_another_window_said_meanwhile_is_kept(serve) -> None:
    with chromium() as page:
        labeling = serve(page, article(TEXT, "1"), finds=finds)
        labeling.open()
        labeling.until("document.querySelectorAll('.items li').length > 2")
        save_label(labeling.store, human_label(TEXT, {"services": ["Upd"]}, id_="1"))
        labeling.digit(2, shift=True)
        label = labeling.until_saved()
        assert label.article.labelled_types == ("registry", "services")
        assert values(label) == [("services", "Upd")]


def test_the_page_fits_and_is_readable(serve, tmp_path: Path) -> None:
    with chromium() as page:
        labeling = serve(page, article(TEXT, "1"), finds=finds)
        for width, is_dark in product((1280, 480), (False, True)):
            labeling.open(width=width, is_dark=is_dark, path="/" if page.asked else f"/?token={TOKEN}")
            labeling.until("document.querySelectorAll('.items li').length > 2")
            labeling.go_to("whoami /all")
            assert page.run("document.documentElement.scrollWidth") <= width
            assert page.run(_CONTRAST) >= 4.5, (width, is_dark)
            page.screenshot(tmp_path / f"{width}-{'dark' if is_dark else 'light'}.png")


@pytest.mark.slow
def test_a_long_article_with_many_candidates_stays_usable(serve) -> None:
    many = [f"tool{n}.exe -run {n}" for n in range(2_000)]
    text = "".join(f"They ran {value} here. {'Some words between them follow. ' * 14}\n" for value in many)
    assert len(text) > 900_000
    with chromium() as page:
        labeling = serve(page, article(text, "1"), finds=lambda each: [Origin("model", "m", commands(*many))])
        labeling.open()
        labeling.until("document.querySelectorAll('.items li').length >= 2000")
        took = page.run(
            "(() => { const from = performance.now(); judge('accepted'); return performance.now() - from; })()"
        )
        assert len(labeling.until_saved().positives) == 1
        assert took < 5_000


def test_odd_characters_do_not_break_the_page(serve, tmp_path: Path) -> None:
    odd = "They ran\ud800 evil\x00.exe -x \u202e and <script>alert(1)</script> && \u2028 ok."
    lines = tmp_path / "records.jsonl"
    lines.write_text(json.dumps({"id": "1", "title": "<b>odd\ud800</b>", "content": odd, "labelled_by": "model"}))
    (record,) = read_articles(lines)
    script = "<script>alert(1)</script>"
    with chromium() as page:
        labeling = serve(page, record, finds=lambda each: [Origin("model", "<i>m</i>", commands(script))])
        labeling.open()
        labeling.until("document.querySelectorAll('.items li').length > 0")
        labeling.go_to(script)
        labeling.press("a")
        labeling.until("!isUnsaved()")
        assert page.run("document.querySelectorAll('#text script, #title b').length") == 0
        assert [each.value for label in read_labels(labeling.store) for each in label.positives] == [script]


_CONTRAST = """
(() => {
    const part = (text) => text.match(/[0-9.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
        .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const color = part(getComputedStyle(at).backgroundColor);
            if (color.length === 3 || color[3] > 0) return color;
        }
        return [255, 255, 255];
    };
    const shown = "h1, h2, button:not(:disabled), code, mark, span, summary, label, select, a";
    const seen = [...document.querySelectorAll(shown)]
        .filter((node) => node.textContent.trim() && node.getClientRects().length);
    return Math.min(...seen.map((node) => {
        const [one, other] = [light(part(getComputedStyle(node).color)), light(behind(node))];
        return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    }));
})()
"""
