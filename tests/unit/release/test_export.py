"""Where texts are read otherwise with the converter's name for a pre-tokenizer, the tokenizer's own is tried."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from ctiforge.errors import DataError
from ctiforge.release import export


@pytest.fixture
def converted(monkeypatch):
    """Stands for llama.cpp, which reads rightly with the pre-tokenizer `right` alone."""
    told = []

    def convert(wanted, full, scratch, tools, instead=None):
        told.append(instead or "theirs")
        full.write_text(told[-1])

    def write_one(source, full, dtype, file_type, out, remarks, tools):
        if full.read_text() != "right":
            raise DataError(f"read otherwise with {full.read_text()}")
        return SimpleNamespace(file_type=file_type, remarks=tuple(remarks))

    monkeypatch.setattr(export, "convert", convert)
    monkeypatch.setattr(export, "_write_one", write_one)
    monkeypatch.setattr(export, "read_contents", lambda full: SimpleNamespace(pretokenizer=full.read_text()))
    return told


def write(tmp_path: Path, monkeypatch, own):
    monkeypatch.setattr(export, "own_pretokenizer", lambda merged: own)
    source = SimpleNamespace(form=None, name="x", facts={})
    return export.write_gguf(source, tmp_path, "f32", ("f32", "q8_0"), tmp_path, tmp_path, None)


def test_the_tokenizer_s_own_is_tried_once_and_told(tmp_path, monkeypatch, converted):
    files, size = write(tmp_path, monkeypatch, "right")
    assert converted == ["theirs", "right"]
    assert [each.file_type for each in files] == ["f32", "q8_0"]
    assert "with the converter's theirs texts differed" in files[1].remarks[0]
    assert size == len("right")


@pytest.mark.parametrize(("own", "tried"), [(None, 1), ("theirs", 1), ("wrong", 2)])
def test_where_nothing_reads_rightly_it_is_refused(tmp_path, monkeypatch, converted, own, tried):
    with pytest.raises(DataError, match="read otherwise"):
        write(tmp_path, monkeypatch, own)
    assert len(converted) == tried
