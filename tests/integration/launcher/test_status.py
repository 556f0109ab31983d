"""`ctiforge status` of runs under way: what it says where no cluster can be asked, and where one can."""

import json

import pytest

from ctiforge.launcher.kubernetes import connecting
from ctiforge.launcher.kubernetes.refusals import ClusterError
from ctiforge.store.launcher_note import heard_of, note_launcher
from ctiforge.store.objects import open_store
from tests.unit.launcher.kubernetes.small_cluster import SmallCluster, key_of, put_run

FLAGS = ("--store", "store", "--backend", "kubernetes")


def test_without_a_cluster_it_says_that_none_was_asked(world, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:
        raise ClusterError("nothing answers at https://cluster.example")

    monkeypatch.setattr(connecting, "connect", connect)
    store = open_store(str(world.folder / "store"))
    put_run(store, "mine")
    asked = world.ctiforge("status", *FLAGS)
    assert asked.returncode == 0, asked.stderr
    assert "mine  running  1/2 stages" in asked.stdout
    assert "the cluster was not asked whether it goes on: nothing answers at https://cluster.example" in asked.stdout
    local = world.ctiforge("status", "--store", "store")
    assert "no cluster was asked whether it goes on; `--backend kubernetes` asks" in local.stdout
    with heard_of(store, "mine", "t"):
        assert "no cluster was asked" not in world.ctiforge("status", "--store", "store").stdout
    put_run(store, "mine", state="done")
    assert "asked" not in world.ctiforge("status", *FLAGS).stdout


def test_the_cluster_is_asked_of_its_runs_and_of_no_others(world, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = SmallCluster()
    monkeypatch.setattr(connecting, "connect", lambda *_: cluster)
    store = open_store(str(world.folder / "store"))
    put_run(store, "mine")
    job = cluster.put_stage(key_of(store, "ctiforge"), "mine")
    assert f"its launcher is gone, job {job} goes on" in world.ctiforge("status", *FLAGS).stdout
    cluster.delete_job(job)
    assert "mine  interrupted" in world.ctiforge("status", *FLAGS).stdout
    note_launcher(store, "mine")
    assert "mine  running" in world.ctiforge("status", *FLAGS).stdout, "it runs on this machine"
    elsewhere = json.loads(store.read("runs/mine/launcher.json")) | {"place": ["elsewhere"]}
    store.write("runs/mine/launcher.json", json.dumps(elsewhere).encode())
    assert "mine  running" in world.ctiforge("status", *FLAGS).stdout, "or on another one"
    with heard_of(store, "mine", "t"):
        pass
    assert "mine  interrupted" in world.ctiforge("status", *FLAGS).stdout, "a cluster went on with it"
