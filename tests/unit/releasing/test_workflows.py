"""What the workflows promise: pinned actions, least rights, one variable for registries, no secret where it shows."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ctiforge import __version__

ROOT = Path(__file__).parents[3]
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / ".github/workflows").glob("*.yml")}
# YAML 1.1 reads the key `on` as true
WORKFLOWS: dict[str, dict[Any, Any]] = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
JOBS = {f"{name}/{key}": job for name, each in WORKFLOWS.items() for key, job in each["jobs"].items()}
STEPS = [(job, step) for job, each in JOBS.items() for step in each.get("steps", [])]
SCRIPTS = [(job, step["run"]) for job, step in STEPS if "run" in step]
BAKE = (ROOT / "docker/bake.hcl").read_text(encoding="utf-8")
DOCKERFILES = [ROOT / "docker/cpu.Dockerfile", ROOT / "docker/cuda.Dockerfile", ROOT / "k8s/services/Dockerfile"]
HOST = re.compile(r"\b[\w-]+\.(?:io|com|org|net|dev|cloud|aws|azurecr)\b")


def test_every_action_is_pinned_by_its_commit_and_says_its_version() -> None:
    used = re.findall(r"uses: (.+)", "".join(TEXTS.values()))
    assert len(used) > 10
    ours = [line for line in used if line.startswith("./")]
    for line in ours:
        assert (ROOT / line.split()[0]).exists()
    others = set(used) - set(ours)
    assert [line for line in others if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []
    # one action, one commit
    assert len({line.partition("@")[0] for line in others}) == len(others)


def test_a_job_has_the_rights_that_it_needs_and_no_other() -> None:
    assert [name for name, each in WORKFLOWS.items() if each["permissions"] != {}] == []
    more = {job: each["permissions"] for job, each in JOBS.items() if each["permissions"] != {"contents": "read"}}
    signs = {"contents": "read", "id-token": "write"}
    assert more == {"release/image": signs, "release/chart": signs, "release/release": {"contents": "write"}}


def test_every_job_ends() -> None:
    assert [job for job, each in JOBS.items() if "uses" not in each and each["timeout-minutes"] > 120] == []


def test_a_release_starts_with_a_tag_alone_and_is_not_cancelled_by_another() -> None:
    assert WORKFLOWS["release"][True] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}}
    assert WORKFLOWS["release"]["concurrency"]["cancel-in-progress"] is False
    groups = [each["concurrency"]["group"].partition("-")[0] for each in WORKFLOWS.values()]
    assert sorted(groups) == sorted(WORKFLOWS)


def test_nothing_is_pushed_before_the_tests_and_nothing_released_before_it_is_signed() -> None:
    needs = {key: set(job.get("needs", [])) for key, job in WORKFLOWS["release"]["jobs"].items()}
    assert needs == {
        "tests": set(), "facts": set(), "image": {"tests", "facts"}, "chart": {"facts", "image"}, "release": {"chart"},
    }  # fmt: skip
    for job in ("image", "chart"):
        steps = " ".join(step.get("run", "") for step in WORKFLOWS["release"]["jobs"][job]["steps"])
        assert steps.index("push") < steps.index("cosign sign --yes")


@pytest.mark.parametrize("name", [*TEXTS, "bake.hcl"])
def test_no_host_is_named(name: str) -> None:
    assert HOST.findall(TEXTS.get(name, BAKE)) == []


def test_the_registry_is_one_variable() -> None:
    assert WORKFLOWS["release"]["env"] == {"REGISTRY": "${{ vars.REGISTRY }}"}
    assert set(re.findall(r"vars\.(\w+)", "".join(TEXTS.values()))) == {"REGISTRY"}
    for job, script in SCRIPTS:
        for login in re.findall(r"\blogin (\S+)", script):
            assert login in ('"${REGISTRY%%/*}"', '"$host"'), job


def test_secrets_reach_only_a_login_and_by_its_standard_input() -> None:
    for job, step in STEPS:
        given = [value for value in step.get("env", {}).values() if "secrets." in str(value)]
        assert bool(given) == (step.get("name") == "Log in"), job
        if given:
            assert "password-stdin" in step["run"]
            assert "echo" not in step["run"]
    assert len(re.findall(r"secrets\.", "".join(TEXTS.values()))) == 4


def test_no_script_is_made_of_what_others_write() -> None:
    """An expression in a script is code; in `env` it is a value."""
    assert [job for job, script in SCRIPTS if "${{" in script] == []


def test_what_the_scripts_call_is_there() -> None:
    text = "\n".join(script for _, script in SCRIPTS)
    modules = set(re.findall(r"-m (releasing\.\w+)", text))
    assert modules == {"releasing.notes", "releasing.sbom", "releasing.pin_images"}
    for module in modules:
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists()
    for path in re.findall(r"(?<![\w/])(?:docker|helm|src|\.ci)/[\w./-]+", text):
        assert (ROOT / path).exists(), path
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"\bmake ([\w-]+)", text)) <= set(targets)


def test_bake_knows_what_a_release_tells_it() -> None:
    build = next(step for _, step in STEPS if "bake" in step.get("run", ""))
    variables = set(re.findall(r'^variable "(\w+)"', BAKE, re.MULTILINE))
    told = {*build["env"], *JOBS["release/image"]["env"], *WORKFLOWS["release"]["env"]} - {"IMAGE"}
    assert told == {"REGISTRY", "TAG", "VERSION", "COMMIT", "BASE", "BASE_DIGEST"}
    assert told <= variables
    assert JOBS["release/image"]["strategy"]["matrix"]["image"] == ["cpu", "train"]
    assert 'targets = ["cpu", "train"]' in BAKE


def test_the_base_of_every_image_is_one_tag_which_a_release_resolves() -> None:
    bases = {re.findall(r"^ARG BASE=(\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)[0] for path in DOCKERFILES}
    assert len(bases) == 1
    assert re.fullmatch(r"[\w-]+:[\w.-]+", bases.pop())
    assert re.search(r"imagetools inspect \"\$base\" .*Digest", TEXTS["release"])


def test_one_version_is_told_everywhere() -> None:
    chart = yaml.safe_load((ROOT / "helm/ctiforge/Chart.yaml").read_text(encoding="utf-8"))
    told = {chart["version"], chart["appVersion"]}
    for path in DOCKERFILES[:2]:
        told |= set(re.findall(r"^ARG VERSION=(\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert told == {__version__}


def test_an_auditor_of_workflows_finds_nothing() -> None:
    tool = shutil.which("zizmor", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert tool, "no zizmor: make install"
    command = [tool, "--offline", "--quiet", "--persona", "pedantic", str(ROOT / ".github/workflows")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
