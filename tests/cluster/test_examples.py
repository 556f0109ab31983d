"""examples/retrain.sh on a real cluster: chart installed and tested, and a retrain that is started by hand."""

import os
import subprocess
import sys
from pathlib import Path

from tests.cluster.conftest import ROOT, Place


def test_the_retraining_example_installs_checks_and_starts(place: Place) -> None:
    values = {
        "store.uri": place.store.uri,
        "settings.model": "demo",
        "settings.testSet": "demo",
        "settings.osModel": "demo",
        "settings.osTestSet": "demo-os",
    }
    flags = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
    done = subprocess.run(
        [str(ROOT / "examples/retrain.sh"), "--values", "k8s/values.yaml", *flags],
        env={**os.environ, "NAMESPACE": place.namespace, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert any(name.startswith("retrain-") for name in place.jobs())
