import re
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from ctiforge.data.texts import read_text
from ctiforge.errors import DataError, UsageError


@pytest.fixture(params=["file", "standard input"])
def given(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Give bytes as a file or on standard input: returns what names them."""

    def give(data: bytes) -> str:
        if request.param == "file":
            (tmp_path / "a.txt").write_bytes(data)
            return str(tmp_path / "a.txt")
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(data), encoding="ascii", errors="surrogateescape"))
        return "-"

    return give


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("naïve – 😀\n".encode(), "naïve – 😀\n"),
        (b"\xef\xbb\xbfbom\r\nand\rends\n", "bom\nand\nends\n"),
        (b"", ""),
    ],
)
def test_a_text_is_read_as_utf8(given, data: bytes, text: str) -> None:
    assert read_text(given(data), None) == (text, None)


def test_a_stray_byte_is_replaced_and_told_with_its_place(given, capsys) -> None:
    assert read_text(given("C:\\é".encode("cp1252")), None) == ("C:\\\ufffd", None)

    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(r"warning: (.*a\.txt|standard input) is not UTF-8 \(byte 3\): what cannot be read became", line)


def test_another_encoding_is_refused(given) -> None:
    with pytest.raises(DataError, match=r"(a\.txt|standard input) is not UTF-8 \(byte 0\): save it as UTF-8"):
        read_text(given("text".encode("utf-16")), None)


@pytest.mark.parametrize(("file", "article"), [(None, None), ("a.txt", "1"), ("missing.txt", None)])
def test_one_text_is_to_be_named(file: str | None, article: str | None) -> None:
    with pytest.raises(UsageError, match=r"give a file|cannot read missing\.txt"):
        read_text(file, article)
