import sys
from pathlib import Path

import pytest

from ctiforge.plots import drawing


def test_what_is_drawn_is_a_png_with_its_words_and_nothing_stays_open(tmp_path: Path) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    with drawing(tmp_path / "x.png", "title", across="step", up="loss") as axes:
        axes.plot([1, 2], [3, 4], label="training")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("title", "step", "loss")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training"]
    assert pyplot.get_fignums() == []


def test_without_labels_there_is_no_legend(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with drawing(tmp_path / "x.png", "", across="", up="") as axes:
        axes.plot([1, 2], [3, 4])
    assert axes.get_legend() is None


def test_a_drawing_that_fails_leaves_neither_file_nor_figure(tmp_path: Path) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    with pytest.raises(ZeroDivisionError), drawing(tmp_path / "x.png", "", across="", up=""):
        _ = 1 / 0
    assert not (tmp_path / "x.png").exists()
    assert pyplot.get_fignums() == []


def test_without_matplotlib_it_is_an_import_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError), drawing(tmp_path / "x.png", "", across="", up=""):
        pass
