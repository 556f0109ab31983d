"""Names of base models and of labelers, as they may be published."""

import re

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
# models and reports of before name the people behind their labels
_PERSON = re.compile(r"\bhuman:.*?(?=: | \+ |$)")


def is_hub_name(base_model: str) -> bool:
    """Tell whether a base model is named as on the Hub: neither a path nor the demo's own."""
    return base_model != "demo" and _HUB_NAME.fullmatch(base_model) is not None


def public_name(base_model: str) -> str:
    """Return a base model's name as it is; of a path its last part: the rest is nobody's business."""
    return base_model if is_hub_name(base_model) else base_model.rstrip("/").rpartition("/")[2]


def public_labelers(text: str) -> str:
    """Return what names labelers without the names of people."""
    return _PERSON.sub("human", text)
