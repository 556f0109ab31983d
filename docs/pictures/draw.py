"""Draw the four pictures of the concepts as SVG beside this file: python docs/pictures/draw.py"""

from html import escape
from itertools import pairwise
from pathlib import Path

HERE = Path(__file__).parent
INK, GRAY, LINE, PAPER = "#1b2733", "#5b6b7a", "#8795a3", "#ffffff"
BLUE, GREEN, AMBER, RED, VIOLET = "#dbeafe", "#d9f2e3", "#fdeecb", "#fbdcd9", "#e9e0fb"
STRONG = {BLUE: "#2563c9", GREEN: "#1d7f4a", AMBER: "#a86a00", RED: "#b93a2f", VIOLET: "#6b3fc0"}


def main() -> None:
    """Write every picture."""
    for name, picture in pictures().items():
        (HERE / f"{name}.svg").write_text(picture, encoding="utf-8")


def pictures() -> dict[str, str]:
    """Each picture's SVG by its name."""
    return {
        "pipeline": draw_pipeline(),
        "windows": draw_windows(),
        "pod-states": draw_pod_states(),
        "interval": draw_interval(),
    }


def draw_pipeline() -> str:
    """Where data come from, the stages of both lines, and what becomes of a model."""
    sheet = Sheet(1060, 330, "The two lines of stages, from the team's articles to the model that is used")
    sheet.box(20, 60, 120, 46, "result files", GREEN, "JSON of earlier runs")
    sheet.box(20, 136, 120, 46, "PostgreSQL", GREEN, "articles, results")
    sheet.box(20, 212, 120, 46, "people", GREEN, "reviewed files")
    columns = [180 + 102 * place for place in range(6)]
    sheet.text(180, 44, "Extract Agent: which observables does this article hold?", anchor="start", weight=600)
    for x, name in zip(columns, ("harvest", "format", "check", "train", "evaluate", "compare"), strict=True):
        sheet.box(x, 60, 84, 46, name, AMBER if name == "train" else BLUE)
    sheet.text(180, 286, "OS-BERT: which operating system is it about?", anchor="start", weight=600)
    os_stages = ((0, "prepare"), (1, "train"), (2, "baselines"), (4, "evaluate"), (5, "compare"))
    for place, name in os_stages:
        sheet.box(columns[place], 218, 84, 46, name, AMBER if name == "train" else BLUE)
    for left, right in pairwise(columns):
        sheet.arrow((left + 84, 83), (right, 83))
    for left, right in ((0, 1), (1, 2), (2, 4), (4, 5)):
        sheet.arrow((columns[left] + 84, 241), (columns[right], 241))
    sheet.arrow((140, 83), (columns[0], 83))
    sheet.arrow((140, 152), (columns[0] + 20, 106))
    sheet.arrow((140, 168), (columns[0] + 20, 218))
    sheet.box(columns[3] + 24, 138, 162, 46, "test sets", GREEN, "made by people, immutable")
    sheet.arrow((columns[4] + 42, 138), (columns[4] + 42, 106))
    sheet.arrow((columns[4] + 42, 184), (columns[4] + 42, 218))
    sheet.line([(columns[3] + 24, 161), (columns[0] + 62, 161), (columns[0] + 62, 108)], dashed=True, arrow=True)
    sheet.line([(columns[0] + 62, 161), (columns[0] + 62, 216)], dashed=True, arrow=True)
    sheet.text(columns[1] + 106, 154, "kept out of training,", size=11, fill=GRAY)
    sheet.text(columns[1] + 106, 174, "near duplicates as well", size=11, fill=GRAY)
    sheet.line([(80, 258), (80, 304), (columns[3] + 62, 304), (columns[3] + 62, 184)], arrow=True)
    sheet.box(798, 132, 116, 58, "promote", VIOLET, "the gate: better,", "and nothing worse")
    sheet.line([(columns[5] + 84, 83), (856, 83), (856, 132)], arrow=True)
    sheet.line([(columns[5] + 84, 241), (856, 241), (856, 190)], arrow=True)
    sheet.box(934, 92, 112, 46, "export", VIOLET, "GGUF, LM Studio")
    sheet.box(934, 184, 112, 46, "publish", VIOLET, "Hub, with a card")
    sheet.arrow((914, 150), (940, 138))
    sheet.arrow((914, 172), (940, 184))
    return sheet.svg()


def draw_windows() -> str:
    """An article cut at its end, and the same article cut into windows."""
    sheet = Sheet(1060, 400, "An article of 900 tokens, cut at its end and cut into windows")
    left, scale = 160, 0.94

    def at(token: float) -> float:
        return left + token * scale

    items = ((250, 300, "net group …"), (460, 520, r"HKCU\…\Run\x"), (690, 745, "cmd.exe /c …"))
    sheet.text(20, 62, "the article", anchor="start", weight=600)
    sheet.bar(at(0), 46, 900 * scale, 26, BLUE)
    for start, end, name in items:
        sheet.bar(at(start), 46, (end - start) * scale, 26, AMBER)
        sheet.text(at((start + end) / 2), 38, name, size=11)
    sheet.text(20, 122, "cut at its end", anchor="start", weight=600)
    sheet.bar(at(0), 106, 240 * scale, 26, VIOLET, "prompt and beginning")
    sheet.bar(at(240), 106, 660 * scale, 26, PAPER, "never seen: every item, and the whole answer", dashed=True)
    sheet.text(20, 182, "cut into windows", anchor="start", weight=600)
    windows = (
        (0, 210, "[ ]", "nothing is in it: a true negative"),
        (180, 390, "[cmdline: net group …]", ""),
        (360, 570, r"[registry: HKCU\…\Run\x]", ""),
        (540, 765, "[cmdline: cmd.exe /c …]", "its border was moved, so that no item is split:"),
        (720, 900, "[ ]", ""),
    )
    for row, (start, end, answer, note) in enumerate(windows):
        y = 166 + 38 * row
        sheet.bar(at(start), y, (end - start) * scale, 24, BLUE)
        for first, last, _ in items:
            if start <= first and last <= end:
                sheet.bar(at(first), y, (last - first) * scale, 24, AMBER)
        if row < 3:
            sheet.text(at(end) + 8, y + 17, f"→ {answer} {note}".rstrip(), anchor="start", size=12)
        else:
            sheet.text(at(start) - 8, y + 17, f"{note} {answer} ←".lstrip(), anchor="end", size=12)
    sheet.text(20, 376, "every example:", anchor="start", weight=600)
    sheet.bar(at(0), 360, 180, 24, VIOLET, "prompt")
    sheet.bar(at(0) + 180, 360, 250, 24, BLUE, "window")
    sheet.bar(at(0) + 430, 360, 120, 24, GREEN, "whole answer")
    sheet.text(at(0) + 562, 377, "≤ --max-length; the loss is on the answer alone", anchor="start", size=12)
    return sheet.svg()


def draw_pod_states() -> str:
    """What a stage goes through on a cluster."""
    sheet = Sheet(1060, 420, "What a stage goes through on a cluster, from its Job to its artifact")
    sheet.box(30, 150, 130, 56, "waiting", BLUE, "Job made, no pod runs")
    sheet.box(300, 150, 130, 56, "running", BLUE, "steps, checkpoints")
    sheet.box(830, 150, 190, 56, "done", GREEN, "manifest written last, exit 0")
    sheet.box(560, 40, 170, 56, "saving", AMBER, "finishes the step, exit 75")
    sheet.box(300, 290, 130, 56, "between pods", AMBER, "checkpoint in the store")
    notes = "exit 2, 3, 4: never tried again;", "told in the cluster's words,", "with what to do"
    sheet.box(830, 290, 190, 76, "failed", RED, *notes)
    sheet.arrow((160, 178), (300, 178), "a pod starts")
    sheet.arrow((430, 178), (830, 178))
    sheet.text(535, 170, "the work is finished", size=11, fill=GRAY)
    sheet.line([(365, 150), (365, 68), (560, 68)], arrow=True)
    sheet.text(462, 60, "SIGTERM: eviction, preemption", size=11, fill=GRAY)
    sheet.line([(645, 96), (645, 318), (430, 318)], arrow=True)
    sheet.text(655, 262, "no step is lost", size=11, fill=GRAY, anchor="start")
    sheet.arrow((365, 206), (365, 290))
    sheet.text(375, 240, "SIGKILL, lost node, crash:", size=11, fill=GRAY, anchor="start")
    sheet.text(375, 256, "at most --save-steps are lost", size=11, fill=GRAY, anchor="start")
    sheet.line([(300, 318), (95, 318), (95, 206)], arrow=True)
    sheet.text(198, 310, "next pod, any node", size=11, fill=GRAY)
    sheet.line([(430, 196), (760, 196), (760, 318), (830, 318)], arrow=True)
    sheet.text(770, 226, "exit 2, 3, 4", size=11, fill=GRAY, anchor="start")
    sheet.line([(60, 206), (60, 392), (925, 392), (925, 366)], arrow=True)
    words = "no place within launcher.pendingTimeout, or something that waiting does not mend"
    sheet.text(480, 384, words, size=11, fill=GRAY)
    sheet.line([(330, 150), (330, 112), (95, 112), (95, 150)], arrow=True)
    sheet.text(212, 104, "out of memory: a new attempt, half the micro-batch", size=11, fill=GRAY)
    return sheet.svg()


def draw_interval() -> str:
    """Four models against the champion: what intervals of their primary figure say to the gate."""
    sheet = Sheet(1060, 350, "Intervals of four models' gains over the champion, against 0 and against the margin")
    left, right, unit = 250, 720, 3100

    def at(gain: float) -> float:
        return left + (gain + 0.09) * unit

    sheet.bar(at(-0.09), 50, (0.09 - 0.05) * unit, 230, RED)
    sheet.bar(at(-0.05), 50, 0.05 * unit, 230, AMBER)
    sheet.bar(at(0), 50, right - at(0), 230, GREEN)
    for gain, name in ((-0.05, "− margin"), (0.0, "0: as good as the champion")):
        sheet.line([(at(gain), 40), (at(gain), 290)])
        sheet.text(at(gain), 308, name, size=12, weight=600)
    sheet.text(at(-0.07), 332, "a loss that matters", size=11, fill=GRAY)
    sheet.text(at(-0.025), 332, "a loss that is let pass", size=11, fill=GRAY)
    sheet.text(at(0.03), 332, "a gain", size=11, fill=GRAY)
    rows = (
        ("new model 1", 0.012, 0.032, 0.052, "better, at the level of a look: passes"),
        ("new model 2", -0.022, 0.002, 0.026, "equivalent: refused, unless a person takes it"),
        ("new model 3", -0.072, 0.008, 0.058, "underpowered: too few articles to tell, refused"),
        ("new model 4", -0.076, -0.056, -0.036, "worse: refused"),
    )
    for row, (name, low, gain, high, verdict) in enumerate(rows):
        y = 80 + 56 * row
        sheet.text(20, y + 5, name, anchor="start", weight=600)
        sheet.text(120, y + 5, f"gain {gain:+.3f}", anchor="start", fill=GRAY, size=12)
        sheet.line([(at(low), y), (at(high), y)], stroke=INK, width=2)
        for end in (low, high):
            sheet.line([(at(end), y - 7), (at(end), y + 7)], stroke=INK, width=2)
        sheet.dot(at(gain), y)
        sheet.text(right + 14, y + 5, verdict, anchor="start", size=12)
    sheet.text(left, 32, "paired gain over the champion, one test set", anchor="start", size=12, fill=GRAY)
    return sheet.svg()


class Sheet:
    """A drawing of boxes, bars, lines and words; `svg` gives it back."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" font-family="system-ui, sans-serif">\n<title>{escape(title)}</title>\n'
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{LINE}"/></marker></defs>\n'
            f'<rect width="{width}" height="{height}" rx="12" fill="{PAPER}"/>\n'
        )
        self._parts: list[str] = []

    def box(self, x: float, y: float, width: float, height: float, name: str, fill: str, *notes: str) -> None:
        """A rounded box with a name and smaller lines below it."""
        self._rect(x, y, width, height, fill, STRONG[fill], 8)
        middle = y + height / 2 + 5 - 7 * len(notes)
        self.text(x + width / 2, middle, name, weight=600)
        for number, note in enumerate(notes, start=1):
            self.text(x + width / 2, middle + 14 * number + 1, note, size=10.5, fill=GRAY)

    def bar(
        self, x: float, y: float, width: float, height: float, fill: str, name: str = "", *, dashed: bool = False
    ) -> None:
        """A stretch of something, with words in it."""
        self._rect(x, y, width, height, fill, STRONG.get(fill, LINE), 3, dashed=dashed)
        if name:
            self.text(x + width / 2, y + height / 2 + 4, name, size=12)

    def arrow(self, start: tuple[float, float], end: tuple[float, float], words: str = "") -> None:
        """An arrow, with words above its middle."""
        self.line([start, end], arrow=True)
        if words:
            self.text((start[0] + end[0]) / 2, start[1] - 8, words, size=11, fill=GRAY)

    def line(
        self,
        points: list[tuple[float, float]],
        *,
        arrow: bool = False,
        dashed: bool = False,
        stroke: str = LINE,
        width: float = 1.5,
    ) -> None:
        """A line through points."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        more = (' marker-end="url(#head)"' if arrow else "") + (' stroke-dasharray="5 4"' if dashed else "")
        self._parts.append(f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{width:g}"{more}/>')

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        anchor: str = "middle",
        size: float = 13,
        weight: int = 400,
        fill: str = INK,
    ) -> None:
        """Words at a point."""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size:g}" font-weight="{weight}" '
            f'fill="{fill}">{escape(words)}</text>'
        )

    def dot(self, x: float, y: float) -> None:
        """A point."""
        self._parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="4.5" fill="{INK}"/>')

    def svg(self) -> str:
        """The whole drawing."""
        return self._head + "".join(f"{part}\n" for part in self._parts) + "</svg>\n"

    def _rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        stroke: str,
        radius: int,
        *,
        dashed: bool = False,
    ) -> None:
        more = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}" fill="{fill}" '
            f'stroke="{stroke}"{more}/>'
        )


if __name__ == "__main__":
    main()
