"""Launchers come and go, and may be several: the run goes on, and nothing is done twice."""

import json
import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.development_cluster import add_small_test_set
from ctiforge.demo.articles import make_corpus
from ctiforge.demo.executions import extraction_result
from ctiforge.store.artifacts import find_input, read_manifest
from ctiforge.store.models import Registry
from ctiforge.store.objects import hash_file
from ctiforge.store.owned import own
from ctiforge.store.runs import load_run
from tests.cluster.conftest import RELEASE, Place, articles_locked, kubectl, secret_values
from tests.making import candidate

# few articles for validation: the training answers them to set its threshold
STAGES = {"format_extract": {"validation_share": 0.01}, "train_extract": {"max_steps": 30, "epochs": 1}}
SET = [f"--set={stage}.{name}={value}" for stage, flags in STAGES.items() for name, value in flags.items()]
LINE = ("run", "extract", *SET)


def test_a_launcher_that_is_killed_and_started_again_follows_the_same_job(place: Place) -> None:
    add_small_test_set(place.store)
    with articles_locked():
        first = place.ctiforge(*LINE, "--run-id", "mine")
        place.wait_until_running()
        first.send_signal(signal.SIGKILL)
        first.communicate()
        second = place.ctiforge(*LINE, "--run-id", "mine")
        read_until(second, "harvest_extract: started")
    read_until(second, "format_extract: started")
    assert [name for name in place.jobs() if name.startswith("harvest")] == [load_harvest_job(place)]
    second.send_signal(signal.SIGTERM)
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 75, output
    assert "what runs in the cluster goes on" in output
    cancel(place, "mine")


def test_two_launchers_of_one_run_share_its_jobs(place: Place) -> None:
    add_small_test_set(place.store)
    with articles_locked():
        both = [place.ctiforge(*LINE, "--run-id", "shared") for _ in range(2)]
        for each in both:
            read_until(each, "harvest_extract: started")
        place.wait_until_running()
    for each in both:
        read_until(each, "format_extract: ")
    assert len([name for name in place.jobs() if name.startswith("harvest")]) == 1
    for each in both:
        each.kill()
        each.communicate()
    cancel(place, "shared")


def test_a_launcher_pod_that_is_evicted_between_stages_goes_on_with_its_run(place: Place) -> None:
    add_small_test_set(place.store)
    started = place.ctiforge(*LINE, "--run-id", "detached", "--detach")
    output, _ = started.communicate(timeout=60)
    assert started.returncode == 0, output
    place.wait_until_running("format_extract")
    runner = place.pods("job-name=detached")[0]["metadata"]["name"]
    place.evict(runner)
    kubectl("wait", "job/detached", "--for=condition=Complete", "--timeout=800s", namespace=place.namespace)
    record = load_run(place.store, "detached")
    assert record.state == "done"
    # what ended while no launcher was there to see it is found done
    assert {stage.state for stage in record.stages} <= {"done", "cached"}
    assert len([name for name in place.jobs() if name.startswith("harvest")]) == 1

    # nothing new: one harvest, and nothing after it
    before = set(place.jobs())
    place.install("retrain.extract.enabled=true", f"settings.stages={json.dumps(STAGES)}")
    begun = datetime.now(UTC)
    template = f"cronjob/{RELEASE}-retrain-extract"
    kubectl("create", "job", "nightly", f"--from={template}", namespace=place.namespace)
    kubectl("wait", "job/nightly", "--for=condition=Complete", "--timeout=300s", namespace=place.namespace)
    new = set(place.jobs()) - before - {"nightly"}
    print(f"retrain with nothing new: {(datetime.now(UTC) - begun).total_seconds():.0f} s, Jobs {sorted(new)}")
    assert [name.rsplit("-", 3)[0] for name in new] == ["harvest-extract"]
    assert load_run(place.store, "nightly").state == "done"

    # what the pods said is there without them, and says no secret
    cancel(place, "detached")
    logs = place.ctiforge("logs", "detached")
    said, _ = logs.communicate(timeout=60)
    assert "--- train_extract" in said
    assert "--- launcher-1-detached-" in said
    assert not any(value in said for value in secret_values())
    collected = place.ctiforge("collect", "detached")
    said, _ = collected.communicate(timeout=60)
    assert said.count("eval_") == 4

    # a model that is not better is no failure of the run, and nothing is tried again
    place.install("retrain.extract.enabled=true", "promote.auto=true", f"settings.stages={json.dumps(STAGES)}")
    kubectl("create", "job", "gated", f"--from={template}", namespace=place.namespace)
    kubectl("wait", "job/gated", "--for=condition=Complete", "--timeout=300s", namespace=place.namespace)
    told = json.loads(kubectl("get", "events", "-o", "json", namespace=place.namespace))["items"]
    reasons = {
        each["involvedObject"]["name"]: (each["reason"], each["message"])
        for each in told
        if each["source"].get("component") == "ctiforge"
    }
    assert reasons["detached"][0] == "ModelTrained"
    # the model is that of before
    assert reasons["gated"][0] == "NothingNew"
    assert "is not promoted: " in reasons["gated"][1]
    gated = load_run(place.store, "gated")
    assert (gated.state, gated.exit_code) == ("done", 5)
    assert gated.stages[-1].name == "promote_extract"
    assert "is not promoted: " in gated.stages[-1].last_lines[0]
    assert Registry(place.store, "extract").standing().champion is None

    # what is in use is exported at a run's end, by what lies in the image: nothing is fetched
    trained = next(stage.artifact for stage in record.stages if stage.name == "train_extract")
    assert trained
    crown(place, trained)
    place.install(
        "retrain.extract.enabled=true",
        f"settings.stages={json.dumps(STAGES)}",
        'settings.export={"format":"gguf","types":"q8_0"}',
    )
    begun = datetime.now(UTC)
    kubectl("create", "job", "exporting", f"--from={template}", namespace=place.namespace)
    kubectl("wait", "job/exporting", "--for=condition=Complete", "--timeout=400s", namespace=place.namespace)
    exported = load_run(place.store, "exporting").stages[-1]
    print(f"a night with an export alone: {(datetime.now(UTC) - begun).total_seconds():.0f} s")
    assert (exported.name, exported.state) == ("export_model", "done")
    manifest = read_manifest(place.store, f"artifacts/export_model/{exported.fingerprint}")
    assert manifest
    assert [name.rpartition("-")[2] for name in manifest.files if name.endswith(".gguf")] == ["Q8_0.gguf"]
    assert manifest.parameters["version"] == 1


def test_result_files_of_the_laptop_are_harvested_in_the_cluster(place: Place, tmp_path: Path) -> None:
    add_small_test_set(place.store)
    entries = [
        {"article_id": record.id, "content": record.content, "extraction_result": extraction_result(record, "G2", None)}
        for record in make_corpus(0).training[:130]
    ]
    (tmp_path / "results.json").write_text(json.dumps(entries))
    run = place.ctiforge("run", "extract", "--json-files", str(tmp_path / "results.json"), "--run-id", "files")
    read_until(run, "format_extract: started")
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=60)
    harvest = load_run(place.store, "files").stages[0]
    manifest = read_manifest(place.store, f"artifacts/harvest_extract/{harvest.fingerprint}")
    assert manifest
    assert manifest.parameters["from_database"] is False
    (uri,) = manifest.parameters["json_files"]
    assert uri.startswith(f"{place.store.uri}/inputs/")
    assert manifest.inputs["json_file_0"].content == hash_file(tmp_path / "results.json").sha256
    assert manifest.summary["read"] == 130
    cancel(place, "files")


@pytest.mark.prove
def test_helm_test_runs_the_doctor_inside(place: Place) -> None:
    tested = subprocess.run(
        ["helm", "test", RELEASE, "--namespace", place.namespace, "--timeout", "180s"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "Succeeded" in tested.stdout


def test_what_is_wrong_with_the_way_in_is_one_line(place: Place, tmp_path) -> None:
    for arguments, environment, words in [
        (("--release", "nonesuch"), {}, "is the chart installed"),
        (("--namespace", "nonesuch"), {}, "is the chart installed"),
        ((), {"KUBECONFIG": str(tmp_path / "absent")}, "no usable kubeconfig"),
    ]:
        tried = place.ctiforge(*LINE, *arguments, environment=environment)
        output, _ = tried.communicate(timeout=60)
        assert tried.returncode == 2, output
        assert output.startswith("error: ")
        assert output.count("\n") <= 2
        assert words in output


def test_the_launchers_rights_are_enough_and_no_more(place: Place) -> None:
    account = f"system:serviceaccount:{place.namespace}:{RELEASE}-launcher"
    for question, answer in {
        "create jobs": "yes", "delete jobs": "yes", "get cronjobs": "yes", "watch pods": "yes", "get pods/log": "yes",
        "list events": "yes", "get secrets": "no", "create pods": "no", "patch jobs": "no", "update cronjobs": "no",
        "create pods/exec": "no",
    }.items():  # fmt: skip
        said = kubectl("auth", "can-i", *question.split(), f"--as={account}", namespace=place.namespace, check=False)
        assert said.strip() == answer, question


@pytest.mark.prove
def test_doctor_finds_everything_well(place: Place) -> None:
    well = place.ctiforge("doctor")
    output, _ = well.communicate(timeout=240)
    assert well.returncode == 0, output
    assert output.count("ok: ") == 3 + 12 + 5


def test_doctor_says_what_is_not_well(place: Place) -> None:
    place.install("database.existingSecret=absent", "images.train.tag=absent")
    ill = place.ctiforge("doctor")
    output, _ = ill.communicate(timeout=240)
    assert ill.returncode == 2
    for program in ("harvest_extract", "train_extract", "prepare_os", "train_os_bert", "export_model"):
        assert f"problem: {program}" in output
    assert "ok: compare" in output
    assert place.jobs() == []


def cancel(place: Place, run: str) -> None:
    """Cancel the run: no Job and no pod of it is left."""
    cancelling = place.ctiforge("cancel", run)
    output, _ = cancelling.communicate(timeout=200)
    assert cancelling.returncode == 0, output
    assert place.cluster.list("jobs", f"ctiforge.io/run={run}")[0] == []
    assert place.pods(f"ctiforge.io/run={run}") == []


def crown(place: Place, artifact: str) -> None:
    """Put a trained model into use, whatever the gate would say of it."""
    registry, model = Registry(place.store, "extract"), find_input(artifact)
    held = {"content": model.content, "files": model.files, "place": own(place.store, "extract", model)}
    record = candidate("a", name="agent", artifact=artifact).model_copy(update=held)
    registry.promote(registry.register(record).version, registry.standing(), "first")


def load_harvest_job(place: Place) -> str:
    """The one Job of the run's harvest."""
    jobs, _ = place.cluster.list("jobs", "ctiforge.io/stage=harvest-extract")
    assert len(jobs) == 1
    return str(jobs[0]["metadata"]["name"])


def read_until(process: "subprocess.Popen[str]", text: str) -> None:
    """Read what the process says up to a line with this text."""
    assert process.stdout
    said = []
    for line in process.stdout:
        said.append(line)
        if text in line:
            return
    raise AssertionError(f"it never said {text!r}: {''.join(said)}")
