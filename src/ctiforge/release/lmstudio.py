"""What LM Studio needs: a place for the files, a preset, and the line that names the model to the application."""

import re
from pathlib import Path
from typing import Any

from ctiforge.errors import UsageError

MODELS = "~/.lmstudio/models"
VARIABLE = "LMSTUDIO_MODEL_EXTRACT"

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)


def model_folder(models: str, publisher: str, name: str) -> str:
    """Name the folder `models/publisher/name`. Raises UsageError for a publisher or name that is no folder's."""
    for what, each in (("--publisher", publisher), ("the model's name", name)):
        if not _NAME.fullmatch(each):
            raise UsageError(f"{what} {each!r}: letters, digits, '.', '-' and '_' only, such as my-team")
    return f"{models.rstrip('/')}/{publisher}/{name}"


def setting(publisher: str, name: str) -> str:
    """Write the line that the application's environment needs."""
    return f"{VARIABLE}={publisher}/{name}"


def preset(name: str, instruction: str, schema: dict[str, Any], max_length: int) -> dict[str, Any]:
    """Make a preset as LM Studio imports it: nothing sampled; the keys are those of LM Studio's own SDK.

    Args:
        name: The preset's name.
        instruction: The system prompt.
        schema: The JSON Schema that answers are held to.
        max_length: Tokens of prompt and answer together.

    Returns:
        The preset, as JSON can hold it.
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
    """Name a GGUF as is the custom: `name-Q4_K_M.gguf`."""
    return Path(f"{name}-{file_type.upper()}.gguf")
