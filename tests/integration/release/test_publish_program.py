"""`jobs/publish.py os-bert` with the real HfApi, against a Hub in memory."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from tests.in_process import run_here
from tests.integration.release.hub_server import TOKEN, FakeHub, Fault

PROGRAM = Path(__file__).parents[3] / "jobs" / "publish.py"
REPO = "team/os-bert"
NOW = {"Retry-After": "0"}
PUBLISHED = {
    "README.md",
    "config.json",
    "ctiforge.json",
    "evaluation.json",
    "log.jsonl",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "training_curve.png",
    "training_metadata.json",
}


@dataclass
class Publisher:
    """Runs the program on one of two models against the fake."""

    hub: FakeHub
    folder: Path

    def __call__(self, version, *flags, model="one", environment=None):
        command = [sys.executable, str(PROGRAM), "os-bert", f"--repo={REPO}", f"--version={version}"]
        inputs = [f"--model={self.folder / model}", f"--evaluation={self.folder / model}.json"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        there = {"HF_ENDPOINT": self.hub.endpoint, "HF_TOKEN": TOKEN, "HF_HOME": str(self.folder / "hf")}
        done = subprocess.run(
            [*command, *inputs, f"--data={self.folder / 'prepare.json'}", "--license=apache-2.0", *flags],
            env={**clean, **there, **(environment or {})},
            capture_output=True,
            text=True,
        )
        # no run, failed or not, may show a secret
        assert TOKEN not in done.stdout + done.stderr
        assert "a-signed-secret" not in done.stdout + done.stderr
        return done

    def refused(self, version, *flags, code, said, **more):
        """Runs it, and it must fail with this code and one line."""
        done = self(version, *flags, **more)
        assert done.returncode == code, done.stdout + done.stderr
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, done.stderr
        assert re.search(said, lines[0]), lines[0]


@pytest.fixture
def publish(fake_hub, models):
    return Publisher(fake_hub, models)


def asked(hub, what):
    return len([request for request in hub.requests if re.search(what, request)])


def test_a_new_repository_gets_one_tagged_and_verified_commit(publish):
    done = publish("1.0.0")
    assert done.returncode == 0, done.stderr
    repo = publish.hub.repos[REPO]
    assert repo.private
    assert len(repo.commits) == 2
    assert repo.tags == {"1.0.0": repo.commits[-1].id}
    assert set(repo.files) == PUBLISHED | {".gitattributes"}
    assert repo.files["model.safetensors"] == (publish.folder / "one/model.safetensors").read_bytes()
    assert b"title that stays here" not in repo.files["evaluation.json"]
    assert "left out: training_args.bin" in done.stdout
    assert f"verified: {len(PUBLISHED)} files" in done.stdout
    card = ModelCard(repo.files["README.md"].decode())
    expected = json.loads((publish.folder / "one.json").read_text())["rows"][-1]["metrics"]
    assert {each.metric_name: each.metric_value for each in card.data.eval_results} == {
        figure["label"]: figure["value"] for figure in expected.values()
    }


def test_a_second_version_tells_what_changed_and_clears_old_weights(publish):
    assert publish("1.0.0").returncode == 0
    repo = publish.hub.repos[REPO]
    old = repo.commits[-1]
    publish.hub.commit(REPO, "by hand", {**old.files, "pytorch_model.bin": b"a pickle", "LICENSE": b"text"})
    done = publish("1.1.0", model="two")
    assert done.returncode == 0, done.stderr
    assert [commit.title[:13] for commit in repo.commits[-2:]] == ["by hand", "OS-BERT 1.1.0"]
    assert set(repo.files) == PUBLISHED | {".gitattributes", "LICENSE"}
    assert repo.tags == {"1.0.0": old.id, "1.1.0": repo.commits[-1].id}
    text = repo.files["README.md"].decode()
    assert "Against version 1.0.0, on the same test set:" in text
    before, after = (
        ModelCard(commit.files["README.md"].decode()).data.eval_results[0] for commit in (old, repo.commits[-1])
    )
    change = after.metric_value - before.metric_value
    assert change > 0
    assert f"| accuracy | {before.metric_value:.3f} | {after.metric_value:.3f} | {change:+.3f} |" in text


def test_the_same_again_changes_nothing_and_verifies(publish):
    publish("1.0.0")
    done = publish("1.0.0")
    assert done.returncode == 0, done.stderr
    assert "with this very content" in done.stdout
    assert "verified" in done.stdout
    assert len(publish.hub.repos[REPO].commits) == 2


@pytest.mark.parametrize("flag", ["--license", "--licence"])
def test_a_license_that_the_hub_does_not_know_is_refused_by_either_spelling(publish, flag):
    publish.refused("1.0.0", f"{flag}=MIT License", code=2, said="MIT License is no license of the Hub")


def test_no_token_and_a_wrong_one(publish):
    publish.refused("1.0.0", code=2, said="there is no token: run hf auth login", environment={"HF_TOKEN": ""})
    publish.refused("1.0.0", code=2, said=r"does not accept the token \(401\)", environment={"HF_TOKEN": "hf_other"})
    publish.refused("1.0.0", code=2, said="HF_HUB_OFFLINE is set: unset it", environment={"HF_HUB_OFFLINE": "1"})
    assert not publish.hub.repos


def test_the_login_of_the_hub_serves_as_well(publish, tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    done = publish("1.0.0", environment={"HF_TOKEN": "", "HF_TOKEN_PATH": str(tmp_path / "token")})
    assert done.returncode == 0, done.stderr


def test_403_when_creating_does_not_show_what_the_server_repeats(publish):
    publish.hub.faults.append(Fault("repos/create", status=403, body=json.dumps({"error": f"no: {TOKEN}"}).encode()))
    publish.refused("1.0.0", code=2, said=r"creating team/os-bert: no right to do so \(403: no: \*+\)")


def test_a_reply_that_is_lost_makes_no_second_commit(publish):
    publish.hub.faults.append(Fault("POST .*/commit/main", cut="after"))
    done = publish("1.0.0")
    assert done.returncode == 0, done.stderr
    repo = publish.hub.repos[REPO]
    assert len(repo.commits) == 2
    assert repo.tags == {"1.0.0": repo.commits[-1].id}
    assert asked(publish.hub, "POST .*/commit/main") == 1


@pytest.mark.parametrize("what", ["GET /lfs/", "GET .*/resolve/.*/config.json"])
def test_a_damaged_download_of_the_right_size_is_found(publish, what):
    publish.hub.faults.append(Fault(what, damage=True))
    publish.refused(
        "1.0.0", code=1, said="(model.safetensors|config.json) of team/os-bert 1.0.0 is not what was uploaded"
    )
    assert publish("1.0.0").returncode == 0


def test_a_name_that_others_have(publish):
    publish.hub.add_repo("somebody/OS-BERT")
    publish.hub.add_repo("somebody/os-bert-cti")
    publish.hub.add_repo("somebody/os-bert-large")
    publish.refused(
        "1.0.0",
        code=2,
        said=r"os-bert is taken by somebody/OS-BERT: take another name \(cti-os-bert, team-os-bert\)",
    )
    assert REPO not in publish.hub.repos
    assert publish("1.0.0", "--allow-namesake").returncode == 0


def test_dry_run_writes_what_would_be_uploaded_without_token_or_network(publish, tmp_path):
    nowhere = {"HF_TOKEN": "", "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"}
    done = publish("1.0.0", f"--dry-run={tmp_path / 'out'}", environment=nowhere)
    assert done.returncode == 0, done.stderr
    assert "would commit" in done.stdout
    assert publish("1.0.0").returncode == 0
    uploaded = publish.hub.repos[REPO].files
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        name: data for name, data in uploaded.items() if name != ".gitattributes"
    }
    publish.refused("1.0.0", f"--dry-run={tmp_path / 'out'}", code=2, said="not an empty folder")


def test_inputs_are_files_or_the_folders_that_hold_them(publish, tmp_path):
    for folder, name, source in (("eval", "evaluation.json", "one.json"), ("data", "prepare.json", "prepare.json")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes((publish.folder / source).read_bytes())
    folders = [f"--evaluation={tmp_path / 'eval'}", f"--data={tmp_path / 'data'}", f"--dry-run={tmp_path / 'out'}"]
    assert publish("1.0.0", *folders).returncode == 0
    assert "207 articles were read" in (tmp_path / "out/README.md").read_text()
    publish.refused("1.0.0", f"--data={tmp_path / 'eval'}", code=3, said="eval holds no prepare.json")
    publish.refused("1.0.0", f"--model={tmp_path / 'nowhere'}", code=2, said="no such file, folder or artifact")
    publish.refused("1.0.0", f"--model={publish.folder / 'one/config.json'}", code=2, said="is a file: give the")
    assert not asked(publish.hub, "POST|PUT|whoami")


def test_without_an_evaluation_or_with_that_of_other_weights_nothing_is_published(publish):
    publish.refused("1.0.0", f"--evaluation={publish.folder / 'two.json'}", code=2, said="the evaluation is of weights")
    command = [
        sys.executable,
        str(PROGRAM),
        "os-bert",
        f"--repo={REPO}",
        "--version=1.0.0",
        f"--model={publish.folder}/one",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "nothing is published without an evaluation" in done.stderr
    assert not asked(publish.hub, "POST|PUT|whoami")


def test_409_429_and_503_pass_or_end_in_one_line(publish):
    publish.hub.faults += [
        Fault("whoami", status=429, headers=NOW),
        Fault("preupload", status=503, headers=NOW),
        Fault("repos/create", status=409),
    ]
    publish.refused("1.0.0", code=1, said=r"creating .*: somebody else changed it meanwhile \(409: out of order\)")
    publish.hub.faults += [Fault("/refs", status=503, headers=NOW, times=99)]
    publish.hub.add_repo(REPO, private=True)
    publish.refused("1.0.0", code=1, said=r"reading the tags of .*: the Hub is busy \(503\)")
    publish.hub.faults[-1].times = 0
    assert publish("1.0.0").returncode == 0
    assert not any(fault.times for fault in publish.hub.faults)


def test_nothing_of_the_demo_is_published(publish, tmp_path):
    body = json.loads((publish.folder / "one.json").read_text())
    body["test_set"]["name"] = "demo"
    (tmp_path / "evaluation.json").write_text(json.dumps(body))
    publish.refused("1.0.0", f"--evaluation={tmp_path}", code=2, said="is of the demo")


@pytest.mark.parametrize(("model", "why"), [("demo", "the demo's model proves the machinery"), ("regex", "no weights")])
@pytest.mark.parametrize("line", ["extract", "os-bert"])
def test_what_comes_with_ctiforge_is_refused_before_anything_is_looked_for(tmp_path, line, model, why):
    flags = ("--repo=team/x", "--version=1.0.0", f"--model={model}", "--evaluation=nofile", "--dry-run=out")
    done = run_here("publish", line, *flags, cwd=tmp_path)
    assert done.returncode == 2
    assert re.search(rf"--model {model} is refused: .*{why}", done.stderr)


def test_a_license_that_nobody_names_is_asked_for(publish):
    command = [sys.executable, str(PROGRAM), "os-bert", f"--repo={REPO}", "--version=1.0.0"]
    inputs = [f"--model={publish.folder}/one", f"--evaluation={publish.folder}/one.json"]
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(publish.folder / "hf")}
    done = subprocess.run([*command, *inputs], capture_output=True, text=True, env=os.environ | offline)
    assert done.returncode == 2
    assert "nobody names the license of its base, test-base" in done.stderr


def test_an_extract_agent_of_a_llama_is_published_with_name_and_notice(publish, tmp_path):
    from tests.unit.release.making import make_agent

    model, evaluation = make_agent(tmp_path / "agent", license_name="llama3.2")
    command = [sys.executable, str(PROGRAM), "extract", "--version=1.0.0", f"--model={model}"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    there = clean | {"HF_ENDPOINT": publish.hub.endpoint, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "hf")}

    def run(*flags):
        line = [*command, f"--evaluation={evaluation}", *flags]
        return subprocess.run(line, capture_output=True, text=True, env=there)

    assert "wants a name that begins with Llama-: team/Llama-agent" in run("--repo=team/agent").stderr
    assert "leave --license out" in run("--repo=team/Llama-agent", "--license=mit").stderr
    there["CTIFORGE_AUTHOR"] = "A Team"
    done = run("--repo=team/Llama-agent", "--test-set-repo=team/cti-test")
    assert done.returncode == 0, done.stderr
    repo = publish.hub.repos["team/Llama-agent"]
    assert repo.private
    assert repo.commits[-1].title.startswith("Extract Agent 1.0.0")
    assert b"Built with Llama" in repo.files["NOTICE"]
    assert repo.files["LICENSE"] == b"The whole agreement."
    text = repo.files["README.md"].decode()
    assert "author = {A Team}" in text
    assert "type: team/cti-test" in text
    assert "Built with Llama" in text
    assert str(tmp_path) not in text + repo.files["adapter_config.json"].decode() + repo.files["ctiforge.json"].decode()
    assert json.loads(repo.files["evaluation.json"])["articles"] == []
