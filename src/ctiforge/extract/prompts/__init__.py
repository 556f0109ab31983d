"""What the model reads and answers: versioned prompts (never edited), rendering, the shape of answers."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from ctiforge.errors import UsageError


@dataclass(frozen=True)
class Prompt:
    """One version of the prompt: what the model is told around a window of an article."""

    version: str
    system: str
    user_template: str
    platform_request: str
    definitions: dict[str, str]

    def user(self, types: Sequence[str], text: str, *, platform: bool = True) -> str:
        """Write the user's turn that asks for `types` in `text`, each with its platform or without."""
        # Not str.format on the article: its braces are its own.
        head, tail = self.user_template.split("{text}")
        return head.format(types=self._types(types), platform=self.platform_request if platform else "") + text + tail

    def _types(self, types: Sequence[str]) -> str:
        if not self.definitions:
            return ", ".join(types)
        return "\n".join(f"- {name}: {self.definitions.get(name, name.replace('_', ' '))}" for name in types)


@cache
def load_prompt(version: str) -> Prompt:
    """Load a prompt by its version. Raises UsageError naming the versions there are."""
    folder = resources.files(__name__)
    file = folder / f"{version}.toml"
    if not file.is_file():
        known = sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))
        raise UsageError(f"prompt version {version!r} does not exist: choose one of {', '.join(known)}")
    raw = tomllib.loads(file.read_text(encoding="utf-8"))
    return Prompt(version, raw["system"], raw["user"], raw["platform"], raw["types"])
