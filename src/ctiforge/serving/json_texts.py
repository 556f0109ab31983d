"""JSON as others write it, read so that it can be written again."""

import json
import math
from typing import Any


def read_json(text: bytes | str) -> Any:
    """Read JSON: half pairs of characters become question marks, and numbers that JSON has none of (`NaN`) null.

    Args:
        text: What somebody sent.

    Returns:
        What it says.

    Raises:
        ValueError: It is no JSON.
        RecursionError: It is nested too deeply.
    """
    found = json.loads(text, parse_constant=lambda _: None, parse_float=_number)
    lowered = text.lower()
    if rb"\ud" in lowered if isinstance(lowered, bytes) else r"\ud" in lowered:
        return json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    return found


def _number(written: str) -> float | None:
    number = float(written)
    return number if math.isfinite(number) else None
