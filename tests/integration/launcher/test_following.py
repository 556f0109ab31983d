"""`ctiforge logs --follow`: here and in a cluster, to the run's end or to Ctrl-C."""

import signal

import pytest

from ctiforge.launcher.kubernetes import following, release, watching
from ctiforge.launcher.kubernetes.release import Release
from ctiforge.settings import Settings
from ctiforge.store.launcher_note import note_launcher
from ctiforge.store.objects import open_store
from tests.unit.launcher.kubernetes.small_cluster import SmallCluster, put_run


def test_a_run_that_has_ended_is_told_whole_with_its_end(world) -> None:
    store = open_store(str(world.folder / ".ctiforge/store"))
    put_run(store, "mine", state="failed", reason="train_extract ended with exit code 3 (data error)")
    store.write("runs/mine/train_extract.log", b"too few examples\n")
    told = world.ctiforge("logs", "--follow")
    assert told.returncode == 0
    assert told.stdout.splitlines() == [
        "--- train_extract",
        "too few examples",
        "--- run mine: failed: train_extract ended with exit code 3 (data error)",
    ]


def test_ctrl_c_ends_the_following_without_a_word(world) -> None:
    store = open_store(str(world.folder / ".ctiforge/store"))
    put_run(store, "mine")
    note_launcher(store, "mine")
    store.write("runs/mine/harvest_extract.log", b"harvested\n")
    process = world.start("logs", "--follow")
    try:
        assert process.stdout
        assert [process.stdout.readline() for _ in range(3)][-1] == "harvested\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, output, errors) == (130, "", "")


@pytest.fixture
def cluster(world, monkeypatch: pytest.MonkeyPatch) -> SmallCluster:
    """A cluster whose release works with the world's store."""
    cluster = SmallCluster()
    settings = Settings(store=str(world.folder / "store"), backend="kubernetes")
    monkeypatch.setattr(release, "find_release", lambda _: Release(cluster, "t", settings))
    monkeypatch.setattr(following, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(watching, "PAUSE_S", 0.01)
    return cluster


def test_in_a_cluster_saved_tails_come_first_and_then_what_pods_say(world, cluster: SmallCluster) -> None:
    store = open_store(str(world.folder / "store"))
    put_run(store, "mine")
    cluster.end(cluster.put_stage("train-extract-a", "mine"))
    cluster.logs["train-extract-a-1-pod"] = ["trains", "exit code 0"]
    store.write("runs/mine/logs/train_extract-1-train-extract-a-1-pod.log", b"trains\n")
    store.write("runs/mine/logs/harvest_extract-1-gone.log", b"harvested\n")
    store.write("runs/mine/logs/launcher-1-mine-pod.log", b"harvested\ntrains\n")
    told = world.ctiforge("logs", "--follow", "--backend", "kubernetes")
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == [
        "--- harvest_extract-1-gone",
        "harvested",
        "--- train-extract-a-1-pod",
        "trains",
        "exit code 0",
        "--- run mine: interrupted: its launcher is gone, and nothing of it runs in the cluster: "
        "the same command goes on with it",
    ]


def test_in_a_cluster_a_run_that_nobody_knows_is_told(world, cluster: SmallCluster) -> None:
    open_store(str(world.folder / "store"))
    told = world.ctiforge("logs", "zzz", "--follow", "--backend", "kubernetes")
    assert told.returncode == 2
    assert "there is no run zzz, and no launcher of it; see `ctiforge runs`" in told.stderr
