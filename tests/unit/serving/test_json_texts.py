"""JSON of others can be written again."""

import json
from typing import Any

import pytest

from ctiforge.serving.json_texts import read_json


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": [1, 2.5, "\\ud83d\\ude00"]}', {"a": [1, 2.5, "\U0001f600"]}),
        ('{"a": "\\ud83d"}', {"a": "?"}),
        ('{"\\uDC00": 1}', {"?": 1}),
        ('{"a": NaN, "b": [-Infinity, 1e999]}', {"a": None, "b": [None, None]}),
    ],
)
def test_what_nobody_could_write_again_is_replaced(text: str, found: Any) -> None:
    assert read_json(text) == read_json(text.encode()) == found
    json.dumps(found, ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize("text", ["", "{", b"\xff", "nothing"])
def test_what_is_no_json_is_told_so(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"Expecting|decode"):
        read_json(text)
