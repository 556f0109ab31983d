"""What LM Studio needs: a place for the files, a preset, and the line that names the model to the application."""

import re
from pathlib import Path
from typing import Any

from ctiforge.errors import UsageError

MODELS = "~/.lmstudio/models"
VARIABLE = "LMSTUDIO_MODEL_EXTRACT"

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)


def model_folder(models: str, publisher: str, name: str) -> str:
    """`models/publisher/name`. Raises UsageError for a publisher or name that is no folder's."""
    for what, each in (("--publisher", publisher), ("the model's name", name)):
        if not _NAME.fullmatch(each):
            raise UsageError(f"{what} {each!r}: letters, digits, '.', '-' and '_' only, such as my-team")
    return f"{models.rstrip('/')}/{publisher}/{name}"


def setting(publisher: str, name: str) -> str:
    """Give the line that the application's environment needs."""
    return f"{VARIABLE}={publisher}/{name}"


def preset(name: str, instruction: str, schema: dict[str, Any], max_length: int) -> dict[str, Any]:
    """Give a preset as LM Studio imports it: `instruction` as system prompt, answers held to `schema`, nothing sampled.

    `max_length` is in tokens, prompt and answer together. The keys are those of LM Studio's own SDK.
    """
    fields = {
        "llm.prediction.systemPrompt": instruction,
        "llm.prediction.temperature": 0,
        "llm.prediction.structured": {"type": "json", "jsonSchema": schema},
    }
    return {
        "identifier": f"@local:{name.lower()}",
        "name": name,
        "changed": False,
        "operation": {"fields": [{"key": key, "value": value} for key, value in fields.items()]},
        "load": {"fields": [{"key": "llm.load.contextLength", "value": max_length}]},
    }


def file_name(name: str, file_type: str) -> Path:
    """How a GGUF is called by custom: `name-Q4_K_M.gguf`."""
    return Path(f"{name}-{file_type.upper()}.gguf")
