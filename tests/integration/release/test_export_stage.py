"""The last stage of a run on this machine: the real program, planner, converter and server, and the demo's weights."""

import json
import os
from contextlib import chdir
from pathlib import Path

import pytest

from ctiforge.data.testsets import import_testset
from ctiforge.demo.articles import DemoSizes, make_corpus
from ctiforge.launcher.announcing import Announcing
from ctiforge.launcher.local import LocalBackend
from ctiforge.launcher.run import LineRun
from ctiforge.lines.extract import EXTRACT
from ctiforge.records.run import StageRecord
from ctiforge.settings import load_settings
from ctiforge.store.artifacts import read_manifest
from ctiforge.store.models import Registry
from ctiforge.store.objects import ObjectStore, open_store
from ctiforge.store.runs import load_run
from tests.serving import register

pytestmark = [pytest.mark.usefixtures("tools"), pytest.mark.slow]


def run_export(store: ObjectStore, run_id: str) -> StageRecord:
    """Run the line's stages after the promotion; gives what the run's record says of the export."""
    flags = {"store": store.uri, "run_id": run_id, "export_format": "gguf"}
    backend = LocalBackend()
    settings = load_settings(flags).settings
    run = LineRun.of(EXTRACT, (EXTRACT.stage("export_model"),), settings, backend, Announcing(settings, "extract"))
    try:
        run.check_flags()
        run.say_plan()
        run.go()
    finally:
        backend.close()
    return load_run(store, run_id).stages[-1]


def test_a_run_ends_with_a_gguf_of_the_model_in_use_that_no_later_run_makes_again(tmp_path: Path, monkeypatch) -> None:
    for name in [name for name in os.environ if name.startswith("CTIFORGE_") and name != "CTIFORGE_TOOLS"]:
        monkeypatch.delenv(name)
    store = open_store(str(tmp_path / "store"))
    import_testset(store, "demo", make_corpus(5, DemoSizes(1, 0, 2, 0, 0)).test)
    with chdir(tmp_path):
        assert run_export(store, "none-in-use").state == "skipped"
        registry = Registry(store, "extract")
        register(registry, tmp_path / "agent", "one")
        registry.promote(1, registry.standing(), "first")

        made = run_export(store, "first")
        assert (made.state, made.exit_code) == ("done", 0)
        assert made.artifact
        key = made.artifact.removeprefix(f"{store.uri}/")
        manifest = read_manifest(store, key)
        assert manifest
        assert [name.rpartition("-")[2] for name in manifest.files if name.endswith(".gguf")] == ["Q8_0.gguf"]
        assert manifest.parameters["version"] == 1
        report = json.loads(store.read(f"{key}/{manifest.key('export.json')}"))
        assert report["parity"][0]["windows"] > 0
        assert len(list((tmp_path / "outputs/evaluations").glob("export_model-*.json"))) == 1

        again = run_export(store, "second")
        assert (again.state, again.artifact) == ("cached", made.artifact)
