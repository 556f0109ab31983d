"""The command of an inference engine: its places, its secrets, and the version of its program."""

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ctiforge.errors import UsageError
from ctiforge.settings import MASK, mask_url, read_api_key

MODEL, PORT = "{model}", "{port}"
"""Where a command has the path of the model and the port to serve at."""
_SAYS_VERSION_WITHIN_S = 60.0
_SECRET_FLAG = re.compile(r"(?:.*[-_])?(?:key|token|secret|password)|hft", re.IGNORECASE)
# what is shorter is no secret, and is in every other word
_LEAST_SECRET = 8
# what a version looks like among the lines that libraries print beside it
_VERSION_LINE = re.compile(r"version|^(?:\S+ )?v?\d+\.\d", re.IGNORECASE)


@dataclass(frozen=True)
class EngineCommand:
    """The words of a command, with the places `{model}` and `{port}`; no shell reads it."""

    words: tuple[str, ...]

    @property
    def shown(self) -> str:
        """Write the command as it may be kept: its places unfilled, its secrets masked."""
        hidden = set(_secrets(self.words))
        return " ".join(_quoted(_without_password(_masked_word(word, hidden))) for word in self.words)

    def filled(self, model: Path, port: int) -> list[str]:
        """List the words that start the engine of a model at a port."""
        return [word.replace(MODEL, str(model)).replace(PORT, str(port)) for word in self.words]

    def masked(self, text: str) -> str:
        """Mask in what the engine wrote what the command says in secret, and the key of its requests."""
        for secret in {*_secrets(self.words), read_api_key(needed=False)}:
            if len(secret) >= _LEAST_SECRET:
                text = text.replace(secret, MASK)
        return text


def read_engine(text: str) -> EngineCommand:
    """Read an engine's command.

    Args:
        text: The command as a shell would split it into words.

    Returns:
        The command.

    Raises:
        UsageError: It lacks a place, its quotes do not close, or there is no such program.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"--engine {text!r} is no command line ({error}): close its quotes") from None
    for place, what in ((MODEL, "the model's path"), (PORT, "the port to serve at")):
        if not any(place in word for word in words):
            raise UsageError(
                f"--engine lacks {place}, the place of {what}: like 'llama-server -m {MODEL} --port {PORT}'"
            )
    if not shutil.which(words[0]):
        raise UsageError(f"--engine: there is no program {words[0]!r} here: install it, or give its path")
    return EngineCommand(words)


def tell_version(command: EngineCommand) -> str | None:
    """Ask the command's program for its version, without starting the engine.

    Args:
        command: The command; asked are its words before the first flag or place, then those without a subcommand
            like `serve`, each with `--version`.

    Returns:
        The line that names it, of what is written the first; None where the program does not answer that.
    """
    program = _program(command.words)
    asked = [program]
    if len(program) > 1 and re.fullmatch(r"[a-z]+", program[-1]):
        asked.append(program[:-1])
    return next((line for words in asked if (line := _first_line([*words, "--version"]))), None)


def _program(words: Sequence[str]) -> list[str]:
    """Take the words before the first flag or place; `python -m module` is a program as well."""
    is_module = len(words) > 2 and words[1] == "-m" and Path(words[0]).name.startswith("python")
    first = 3 if is_module else 1
    rest = [
        place
        for place, word in enumerate(words)
        if place >= first and (word.startswith("-") or MODEL in word or PORT in word)
    ]
    return list(words[: min(rest, default=len(words))])


def _first_line(words: Sequence[str]) -> str | None:
    """Run a program that says a line and ends; None where it does not, or fails."""
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
    except OSError:
        return None
    with process:
        try:
            said, _ = process.communicate(timeout=_SAYS_VERSION_WITHIN_S)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    if process.returncode or not lines:
        return None
    return next((line for line in lines if _VERSION_LINE.search(line)), lines[0])[:200]


def _secrets(words: Sequence[str]) -> Iterator[str]:
    """List the values of flags and variables that are called a key, a token, a secret or a password."""
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if not _SECRET_FLAG.fullmatch(name.lstrip("-")):
            continue
        if equals:
            yield from filter(None, (value,))
        elif word.startswith("-") and place + 1 < len(words):
            yield words[place + 1]


def _masked_word(word: str, hidden: Collection[str]) -> str:
    name, _, value = word.partition("=")
    if word in hidden:
        return MASK
    return f"{name}={MASK}" if value in hidden else word


def _without_password(word: str) -> str:
    return mask_url(word) if re.match(r"\w+://", word) else word


def _quoted(word: str) -> str:
    """Quote a word as a shell needs it; the braces of a place are read as they are."""
    return word if re.fullmatch(r"[\w@%+=:,./{}*-]+", word) else shlex.quote(word)
