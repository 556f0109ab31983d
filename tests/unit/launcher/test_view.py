import io

import pytest
from rich.console import Console

from ctiforge.launcher.backend import Progressed
from ctiforge.launcher.view import PLAIN_EVERY_S, LiveView

STAGES = ("harvest", "train")


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)


def _text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_without_a_terminal_there_are_plain_lines_and_not_too_many() -> None:
    console, clock = _console(False), _Clock()
    with LiveView(STAGES, console, clock) as view:
        view.started("train")
        for done in range(100):
            clock.now += 1.0
            view.progressed("train", Progressed(done, 100, 3725.0, {"loss": 0.123456}))
        view.ended("train", "done", "0123456789ab")
    lines = _text(console).splitlines()
    assert lines[0] == "train: started"
    assert lines[1] == f"train: {PLAIN_EVERY_S - 1:.0f}/100 eta 1:02:05 loss 0.1235"
    assert lines[-1] == "train: done 0123456789ab"
    assert len(lines) == 2 + 100 // PLAIN_EVERY_S


def test_a_total_that_is_not_known_is_left_out() -> None:
    console, clock = _console(False), _Clock()
    view = LiveView(STAGES, console, clock)
    view.started("harvest")
    clock.now += PLAIN_EVERY_S
    view.progressed("harvest", Progressed(500, None, None, {}))
    assert _text(console).splitlines()[-1] == "harvest: 500"


def test_on_a_terminal_every_stage_has_a_bar_with_eta_and_loss() -> None:
    console = _console(True)
    with LiveView(STAGES, console) as view:
        view.ended("harvest", "cached", "0123456789ab")
        view.started("train")
        view.progressed("train", Progressed(30, 100, 95.0, {"loss": 0.5}))
    text = _text(console)
    for part in ("harvest", "cached 0123456789ab", "train", "eta 1:35", "loss 0.5"):
        assert part in text


@pytest.mark.parametrize("terminal", [True, False])
def test_what_programs_say_is_shown_as_it_is(terminal: bool) -> None:
    console = _console(terminal)
    with LiveView(STAGES, console) as view:
        view.say("[red]not markup[/red] reg add HKCU\\x :smile:")
    assert "[red]not markup[/red] reg add HKCU\\x :smile:" in _text(console)
