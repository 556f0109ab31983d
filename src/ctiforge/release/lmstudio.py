"""What LM Studio needs: a folder for each file, a preset, the line that loads it and the one that serves it."""

import os
import re
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ctiforge.errors import UsageError

MODELS = "~/.lmstudio/models"
SETTINGS = "LMSTUDIO_API_URL=http://host.docker.internal:1235/v1 LMSTUDIO_MODEL_EXTRACT=ctiforge"
"""What the application's environment needs to ask `serve_line`'s server."""
ENDPOINT = "http://localhost:1234/v1"

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)


def check_names(publisher: str, name: str) -> None:
    """Raise UsageError for a publisher or name that is no folder's."""
    for what, each in (("--publisher", publisher), ("the model's name", name)):
        if not _NAME.fullmatch(each):
            raise UsageError(f"{what} {each!r}: letters, digits, '.', '-' and '_' only, such as my-team")


def place(file: Path, models: Path, publisher: str, name: str, file_type: str) -> str:
    """Put a GGUF where LM Studio looks for models, alone in its folder: of two files there one would have no name.

    Args:
        file: The GGUF.
        models: LM Studio's folder of models.
        publisher: The folder above the model's.
        name: What the model is called.
        file_type: How the file is rounded.

    Returns:
        The key that LM Studio knows it by, `publisher/name-type`.
    """
    folder = models / publisher / identifier(name, file_type)
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f".{file.name}.new"
    new.unlink(missing_ok=True)
    try:
        os.link(file, new)
    except OSError:  # another disk
        shutil.copyfile(file, new)
    new.replace(folder / file.name)
    # a rename onto the same file leaves both names
    new.unlink(missing_ok=True)
    remove_stale(folder, {file.name})
    return f"{publisher}/{folder.name}"


def remove_stale(folder: Path, kept: Collection[str]) -> None:
    """Remove what earlier exports left in a folder: files of a model, of a proof and of a server that are not kept.

    Args:
        folder: The folder.
        kept: The names that stay.
    """
    for pattern in ("*.gguf", "*.Modelfile", "evaluation-*.json", "*.preset.json"):
        for path in folder.glob(pattern):
            if path.name not in kept:
                path.unlink()


def identifier(name: str, file_type: str) -> str:
    """Name a model of one file type, as LM Studio serves it."""
    return f"{name}-{file_type}"


def load_line(key: str, context: int) -> str:
    """Write the command that loads a model with room for a prompt and its answer, which no preset can say."""
    return f"lms load {key} --context-length {context} --identifier {key.rpartition('/')[2]}"


def serve_line(model: str) -> str:
    """Write the command that answers the application's agents, whose own prompts the model was not trained on."""
    return f"ctiforge serve {model} --upstream-engine {ENDPOINT} --upstream {ENDPOINT} --host 0.0.0.0 --port 1235"


def evaluation_line(served: str, model: str, test_data: str | None) -> str:
    """Write the command that asks what is served as training asked, over a test set."""
    asked = f"--model {served} --asked-as {model} --test-data {test_data or 'testset:NAME'}"
    return f"ctiforge eval-extract --endpoint {ENDPOINT} {asked}"


def preset(name: str, instruction: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Make a preset as LM Studio imports it: nothing sampled; the keys are those of LM Studio's own SDK.

    Args:
        name: The preset's name.
        instruction: The system prompt.
        schema: The JSON Schema that answers are held to.

    Returns:
        The preset, as JSON can hold it; how a model is loaded is none of a preset's business.
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
        "load": {"fields": []},
    }


def file_name(name: str, file_type: str) -> Path:
    """Name a GGUF as is the custom: `name-Q4_K_M.gguf`."""
    return Path(f"{name}-{file_type.upper()}.gguf")
