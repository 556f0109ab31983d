"""The program extract: a text in, the application's JSON out."""

import json
from pathlib import Path

import pytest

from tests.in_process import run_here

TEXT = "The actor ran `net group Admins /domain` and wrote HKCU\\Software\\Evil\\Run."


def extract(*arguments, stdin=""):
    return run_here("extract", *arguments, cwd=Path.cwd(), stdin=stdin.encode())


def test_standard_input_gives_what_the_application_stores():
    done = extract("-", "--model=regex", stdin=TEXT)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {item["type"] for item in result["observables"]} == {"cmdline", "registry"}
    assert result["summary"] == {"count": 2, "source_url": None, "platforms_detected": ["Windows"]}
    assert result["discrete_huntables_count"] == 2


def test_a_file_and_one_type(tmp_path):
    (tmp_path / "article.txt").write_bytes(TEXT.encode() + b"\xff")
    done = extract(str(tmp_path / "article.txt"), "--model=regex", "--types=registry")
    assert [item["type"] for item in json.loads(done.stdout)["observables"]] == ["registry"]
    assert f"article.txt is not UTF-8 (byte {len(TEXT)})" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give a file"),
        (("no-such-file.txt", "--model=regex"), "cannot read no-such-file.txt"),
        (("-", "--model=regex", "--types=registry", "--types=bogus"), "--types bogus: there is no such type; repeat"),
        (("-", "--model=demo", "--device=gpu"), "--device gpu: give one of auto, cpu, cuda"),
        (("-", "--model=no-such-team/no-such-model"), "no-such-team/no-such-model"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_exit_code_2(arguments, message):
    done = extract(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
