"""What a run's record keeps of pods."""

from ctiforge.launcher.kubernetes.history import interruptions, last_lines, queued_s
from ctiforge.launcher.kubernetes.members import SHARDS
from tests.unit.launcher.kubernetes.cases import JOB, after, at, condition, ended, job, member, of_two, pod, running


def begun(seconds: float):
    return pod("Running", {"running": {"startedAt": at(seconds)}})


def test_the_queue_ends_when_each_has_run_for_the_first_time() -> None:
    assert queued_s(job(), [[]], after(0)) is None
    assert queued_s(job(), [[begun(90), begun(30)]], after(10)) == 20
    assert queued_s(of_two(job()), [[begun(90), begun(30)], [begun(60)]], after(10)) == 50
    assert queued_s(job(), [[begun(5)]], after(10)) == 0


def test_the_queue_of_shards_ends_when_one_has_run() -> None:
    shards = of_two(job())
    shards["metadata"].setdefault("annotations", {})[SHARDS] = "2"
    assert queued_s(shards, [[begun(90), begun(30)], [begun(60)]], after(10)) == 20
    assert queued_s(shards, [[], [begun(60)]], after(10)) == 50


def test_an_interruption_has_its_cause_and_of_two_the_one_that_followed_has_none() -> None:
    evicted = ended(75, "Error", "", condition("DisruptionTarget", "True", "EvictionByEvictionAPI"))
    pods = [member(0, evicted), member(1, ended(75))]
    assert interruptions(of_two(job()), pods, after(60)) == {"0": "evicted"}
    assert interruptions(job(), pods[1:], after(60)) == {"1": "interrupted"}
    assert interruptions(of_two(job()), [member(0, running())], after(60)) == {}


def test_of_others_than_the_first_the_last_words_of_a_failure_are_kept() -> None:
    said = {f"{JOB}-0": ["one"], f"{JOB}-1": [*map(str, range(30))]}
    assert last_lines([member(0, ended(75)), member(1, ended(75))], said.__getitem__) == ("one",)
    assert last_lines([member(0, running()), member(1, running())], said.__getitem__) == ("one",)
    lines = last_lines([member(0, ended(75)), member(1, ended(1))], said.__getitem__)
    assert lines == ("one", *(f"pod 1: {number}" for number in range(10, 30)))
