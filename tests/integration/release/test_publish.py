"""Publishing in this process: the real HfApi against a Hub in memory, waits written down instead of waited."""

import re
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import constants

from ctiforge.errors import UsageError
from ctiforge.release import hub
from ctiforge.release.hub import DELAYS_S, Hub
from ctiforge.release.hub_troubles import HubError
from ctiforge.release.publish import HubTarget, lay_out, publish
from ctiforge.store.artifacts import find_input
from tests.integration.release.hub_server import Fault
from tests.unit.release.making import make_evaluation

TARGET = HubTarget("team/os-bert", "1.0.0", "apache-2.0")


class Publisher:
    """Publishes a model to the fake; what it says and how long it would have waited is kept."""

    def __init__(self, fake_hub, models: Path, scratch: Path) -> None:
        self.hub, self.models, self.scratch = fake_hub, models, scratch
        self.said: list[str] = []
        self.waits: list[float] = []

    def __call__(self, version="1.0.0", model="one", **changes):
        target = replace(TARGET, version=version, **changes)
        folder = self.models / model
        wrong = 3 if model == "one" else 1
        evaluated = make_evaluation(folder, wrong=wrong)
        self.scratch = self.scratch / "again"
        card, _ = lay_out(target, folder, find_input(str(folder)).content, evaluated, None, self.scratch)
        return publish(Hub(sleep=self.waits.append), target, card, self.scratch, self.said.append)

    @property
    def repo(self):
        return self.hub.repos[TARGET.repo]


@pytest.fixture
def publisher(reached_hub, models, tmp_path):
    return Publisher(reached_hub, models, tmp_path)


@pytest.mark.parametrize(
    "what",
    [
        "GET .*whoami",
        "GET .*/refs",
        "GET .*search=",
        "POST .*repos/create",
        "POST .*validate-yaml",
        "POST .*/preupload/",
        "POST .*/objects/batch",
        "PUT /lfs/",
        "POST .*/commit/main",
        "POST .*/tag/",
        "GET .*/tree/",
        "HEAD .*/resolve/",
        "GET .*/resolve/",
    ],
)
def test_429_and_503_pass_with_the_wait_that_the_hub_asks_for(publisher, what):
    publisher.hub.faults += [
        Fault(what, status=429, headers={"Retry-After": "30"}),
        Fault(what, status=503, body=b"<html>"),
    ]
    commit = publisher()
    assert publisher.waits == [30, DELAYS_S[1]]
    assert [each.id for each in publisher.repo.commits[1:]] == [commit]
    assert publisher.repo.tags == {"1.0.0": commit}


def test_503_that_stays_is_given_up(publisher):
    publisher.hub.faults.append(Fault("whoami", status=503, times=99))
    with pytest.raises(HubError, match=r"^logging in: the Hub is busy \(503\): run the same"):
        publisher()
    assert publisher.waits == list(DELAYS_S)


def test_a_wait_of_an_hour_is_not_waited(publisher):
    publisher.hub.faults.append(Fault("whoami", status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(HubError, match=r"429.* in 3600 s"):
        publisher()
    assert publisher.waits == []


def test_no_hub_at_all(publisher, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match=r"^logging in: the connection failed \(ConnectError, http://127.0.0.1:9\)"):
        publisher()
    assert publisher.waits == list(DELAYS_S)


@pytest.mark.parametrize("what", ["whoami", "/tree/"])
def test_no_call_waits_for_ever(publisher, monkeypatch, what):
    monkeypatch.setattr(hub, "TIMEOUT", httpx2.Timeout(0.3))
    publisher.hub.faults.append(Fault(f"GET .*{what}", hangs=True, times=99))
    with pytest.raises(HubError, match=r"no answer in time \(ReadTimeout"):
        publisher()
    assert publisher.waits == list(DELAYS_S)


@pytest.mark.parametrize("what", ["/commit/main", "repos/create", "/tag/"])
@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_cut_connection_makes_nothing_twice(publisher, what, cut):
    publisher.hub.faults.append(Fault(f"POST .*{what}", cut=cut))
    commit = publisher()
    assert [each.id for each in publisher.repo.commits[1:]] == [commit]
    assert publisher.repo.tags == {"1.0.0": commit}
    made = [request for request in publisher.hub.requests if re.search(f"POST .*{what}", request)]
    assert len(made) == {"before": 2, "after": 1}[cut]


def test_stopped_between_commit_and_tag_the_same_command_goes_on(publisher):
    publisher.hub.faults.append(Fault(r"POST .*/tag/", status=403))
    with pytest.raises(UsageError, match=r"tagging team/os-bert: no right to do so \(403"):
        publisher()
    commit = publisher()
    assert [each.id for each in publisher.repo.commits[1:]] == [commit]
    assert publisher.repo.tags == {"1.0.0": commit}


def test_a_tag_that_somebody_set_on_another_commit_meanwhile_is_told(publisher):
    def be_quicker():
        publisher.repo.tags["1.0.0"] = publisher.repo.commits[0].id

    publisher.hub.faults.append(Fault(r"POST .*/tag/", first=be_quicker))
    with pytest.raises(UsageError, match=r"1.0.0 is a tag on commit \w+, not on \w+: take a higher version"):
        publisher()


def test_who_commits_meanwhile_is_not_overwritten(publisher):
    def be_quicker():
        publisher.hub.commit(TARGET.repo, "by hand", {"LICENSE": b"text"})

    publisher.hub.faults.append(Fault(r"POST .*/commit/main", first=be_quicker))
    with pytest.raises(HubError, match=r"committing to .*: somebody else changed it meanwhile \(412"):
        publisher()
    assert publisher.repo.commits[-1].title == "by hand"


def test_a_repository_that_comes_to_be_meanwhile_serves(publisher):
    publisher.hub.faults.append(Fault("repos/create", first=lambda: publisher.hub.add_repo(TARGET.repo)))
    assert publisher() == publisher.repo.tags["1.0.0"]


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("1.0.0", "1.0.0 is a tag on commit .* with other content .*model.safetensors.*: take a higher version"),
        ("0.9.0", "0.9.0 is not higher than 1.0.0"),
        ("1.0.0-rc.1", "1.0.0-rc.1 is not higher than 1.0.0"),
    ],
)
def test_a_version_that_is_taken_or_too_low_is_refused(publisher, version, said):
    publisher()
    with pytest.raises(UsageError, match=said):
        publisher(version, model="two")
    assert len(publisher.repo.commits) == 2


def test_a_card_edited_beyond_reading_is_no_reason_to_stop(publisher):
    first = publisher()
    publisher.repo.commits[-1].files["README.md"] = b"---\nmodel-index: 7\n---\nby hand"
    publisher("2.0.0", model="two")
    text = publisher.repo.files["README.md"].decode()
    assert "Version 1.0.0 came before; its card holds no figures" in text
    assert publisher.repo.tags["1.0.0"] == first


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"orgs": []}, "ana is no member of team"),
        ({"orgs": [{"name": "team", "roleInOrg": "read"}]}, "ana may only read team"),
        ({"auth": {"accessToken": {"role": "read"}}}, "ana may only read team"),
    ],
)
def test_who_may_not_write_is_told_before_anything_is_sent(publisher, user, said):
    publisher.hub.user |= user
    with pytest.raises(UsageError, match=said):
        publisher()
    assert publisher.hub.requests == ["GET /api/whoami-v2"]


def test_private_is_not_promised_for_a_public_repository(publisher):
    publisher.hub.add_repo(TARGET.repo)
    with pytest.raises(UsageError, match="team/os-bert is public"):
        publisher()
    publisher(public=True)
    assert publisher.repo.tags


def test_a_license_that_the_hub_does_not_know_is_refused(publisher):
    with pytest.raises(UsageError, match="--license no-such is none that the Hub knows"):
        publisher(license="no-such")


def test_the_snippet_of_the_card_runs_on_what_was_published(publisher, tmp_path, capsys):
    publisher()
    for name, data in publisher.repo.files.items():
        (tmp_path / name).write_bytes(data)
    snippet = re.findall(r"```python\n(.*?)```", (tmp_path / "README.md").read_text(), re.DOTALL)[0]
    exec(snippet.replace(f'"{TARGET.repo}"', repr(str(tmp_path))), {})
    assert capsys.readouterr().out.strip() in ("Windows", "Linux", "MacOS", "multiple", "Unknown")
