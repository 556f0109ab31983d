"""What the model reads and answers: versioned prompts (never edited), rendering, the shape of answers."""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from string import Formatter

from pydantic import TypeAdapter, ValidationError

from ctiforge.errors import UsageError
from ctiforge.records.model_note import UNKNOWN_PROMPT, AgentUsage, PromptText
from ctiforge.records.observable import TYPES

_PLACES = ("types", "platform", "text")
_BRACES = "write other braces twice"
_NAMED = re.compile(r"\{[^\W\d]\w*\}|\{\{")
"""What would be filled in, or written once, did it stand before the article."""


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


def prompt_of(usage: AgentUsage) -> Prompt:
    """Give the prompt that a model is asked with.

    Args:
        usage: How it is asked.

    Returns:
        Its own where it has one, else this package's of that name.

    Raises:
        UsageError: This package has no prompt of that name.
    """
    return find_prompt(usage.prompt_version, usage.prompt)


def find_prompt(version: str, own: PromptText | None) -> Prompt:
    """Give the prompt of a team's own text, else this package's of that version. Raises UsageError: there is none."""
    if version == UNKNOWN_PROMPT:
        raise UsageError(
            "this model was trained on rows with a prompt that ctiforge does not know, so it cannot be asked about "
            "articles: train it with --prompt FILE, the prompt of its rows"
        )
    return Prompt(version, own.system, own.user, own.platform, own.types) if own else load_prompt(version)


def read_prompt_file(path: Path) -> tuple[str, PromptText]:
    """Read a prompt that a team wrote: a TOML with `user`, and with `system`, `platform` and `[types]` where it likes.

    Args:
        path: The file.

    Returns:
        Its version, the file's name with a hash of its content, and its text.

    Raises:
        UsageError: There is no such file, or it is no prompt; the text says what is wrong.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        text = TypeAdapter(PromptText).validate_python({"system": "", "platform": "", "types": {}} | raw)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"--prompt {path}: {error}; give a TOML with user, and system where there is one") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"--prompt {path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if raw.keys() - asdict(text).keys():
        unknown = sorted(raw.keys() - asdict(text).keys())[0]
        raise UsageError(f"--prompt {path}: there is no {unknown}: give {', '.join(asdict(text))}")
    fault = next(_faults(text), None)
    if fault:
        raise UsageError(f"--prompt {path}: {fault}")
    from ctiforge.store.fingerprint import SHORT

    content = hashlib.sha256(repr(sorted(asdict(text).items())).encode()).hexdigest()
    return f"{path.stem}@{content[:SHORT]}", text


def _faults(text: PromptText) -> Iterator[str]:
    """Find what would be asked otherwise than it is written."""
    if text.user.count("{text}") != 1:
        yield f"user has {{text}} {text.user.count('{text}')} times; it must stand once"
        return
    head, tail = text.user.split("{text}")
    yield from _faults_before(head, "{types}" in tail)
    if head.endswith("{{") and tail.startswith("}}"):
        yield "user has {{{text}}}: the braces before it would be written once, those behind it twice: leave them out"
    for found in _NAMED.findall(tail):
        yield f"user behind {{text}}: {found} would stand there as it is: fill in before it; there, write braces once"
    told = {f"types.{name}": said for name, said in text.types.items()}
    for place, said in {"system": text.system, "platform": text.platform, **told}.items():
        for name in _PLACES:
            if f"{{{name}}}" in said:
                yield f"{place}: {{{name}}} is filled in only in user"
    for name, said in text.types.items():
        if name not in TYPES:
            yield f"types.{name}: there is no such type: choose of {', '.join(TYPES)}"
        if not said.strip():
            yield f"types.{name} is empty: say what it is, or leave it out"
    if text.platform and "{platform}" not in head:
        yield "platform is never asked for: write {platform} in user before {text}, or leave it out"


def _faults_before(head: str, types_behind: bool) -> Iterator[str]:
    try:
        places = [place for place in Formatter().parse(head) if place[1] is not None]
    except ValueError as error:
        yield f"user before {{text}}: {error}; {_BRACES}"
        return
    for _, name, form, conversion in places:
        if name not in ("types", "platform") or form or conversion:
            shown = f"{name}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}"
            yield f"user before {{text}}: there is no {{{shown}}}, only {{types}}, {{platform}} and {{text}}; {_BRACES}"
    if types_behind:
        yield "{types} stands after {text}; the text comes last"
    times = sum(name == "types" for _, name, _, _ in places)
    if times != 1:
        yield f"user has {{types}} {times} times; it must stand once"


def prompt_versions() -> list[str]:
    """List the versions of this package's prompts."""
    names = (item.name for item in resources.files(__name__).iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


@cache
def load_prompt(version: str) -> Prompt:
    """Load a prompt of this package by its version. Raises UsageError naming the versions there are."""
    folder = resources.files(__name__)
    file = folder / f"{version}.toml"
    if not file.is_file():
        known = ", ".join(prompt_versions())
        raise UsageError(f"prompt {version!r} does not exist: choose one of {known}, or give a .toml file")
    raw = tomllib.loads(file.read_text(encoding="utf-8"))
    return Prompt(version, raw["system"], raw["user"], raw["platform"], raw["types"])
