"""The command of an engine: what is filled in, what is hidden, and whose version it has."""

import sys
from pathlib import Path

import pytest

from ctiforge.extract.answering.engine_command import EngineCommand, read_engine, tell_version


def command(text: str) -> EngineCommand:
    return EngineCommand(tuple(text.split()))


def test_places_are_filled_inside_words_and_no_shell_reads_them() -> None:
    read = read_engine("sh -m {model}/m.gguf --lora 'mine={model}' --port={port} '; rm x'")

    assert read.filled(Path("/a b"), 81) == ["sh", "-m", "/a b/m.gguf", "--lora", "mine=/a b", "--port=81", "; rm x"]
    assert read.shown == "sh -m {model}/m.gguf --lora mine={model} --port={port} '; rm x'"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("serve --api-key abcdefghi --port 1", "serve --api-key ******** --port 1"),
        ("serve --api-key=abc -hft hf_1 --tokenizer a", "serve --api-key=******** -hft ******** --tokenizer a"),
        ("env HF_TOKEN=hf_1 serve --max-tokens 5", "env HF_TOKEN=******** serve --max-tokens 5"),
        ("serve --hub https://me:pw@host/x", "serve --hub https://me:********@host/x"),
    ],
)
def test_secrets_are_masked(said: str, shown: str) -> None:
    assert command(said).shown == shown


def test_what_an_engine_writes_is_masked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1234567")
    assert command("serve --api-key abcdefghi").masked("key abcdefghi, sk-1234567") == "key ********, ********"


@pytest.fixture
def program(tmp_path: Path):
    """Makes a program that runs a script; gives the words before its flags."""

    def make(script: str) -> str:
        file = tmp_path / "engine"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return str(file)

    return make


@pytest.mark.parametrize(
    ("script", "version"),
    [
        ("echo 'INFO 09-12 10:00 loading'; echo 0.11.0", "0.11.0"),
        ("echo 'Device 0: a GPU, capability 9.0'; echo 'version: 6123 (abc)' >&2", "version: 6123 (abc)"),
        ("echo some words", "some words"),
        ('[ "$1" = --version ] && echo 1.2.3', "1.2.3"),
        ("echo 1.2.3; exit 2", None),
        ("exit 0", None),
    ],
)
def test_a_program_s_version_is_the_line_that_looks_like_one(program, script: str, version: str | None) -> None:
    assert tell_version(command(f"{program(script)} serve {{model}} --port {{port}}")) == version


def test_a_module_of_python_is_asked_and_not_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "engine_module.py").write_text("import sys\nprint('engine', sys.argv[1:])\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    asked = command(f"{sys.executable} -m engine_module -m {{model}} {{port}}")
    nothing = command(f"{sys.executable} -m no_such_engine -m {{model}} {{port}}")

    assert tell_version(asked) == "engine ['--version']"
    assert tell_version(nothing) is None
