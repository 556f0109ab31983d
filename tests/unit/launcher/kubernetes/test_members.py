"""Which pods a Job's work takes at once, and when all of it is done."""

import pytest

from ctiforge.launcher.kubernetes.members import by_member, index_of, is_done, members_of, newest_of_each
from tests.unit.launcher.kubernetes.cases import condition, ended, job, member, of_two, pod, running

WELL = pod("Succeeded", {"terminated": {"exitCode": 0}})


def test_a_job_without_an_index_has_one_member_whatever_pods_it_had() -> None:
    pods = [ended(75, name="first"), running(name="second", created=70)]
    assert members_of(job()) == 1
    assert [[each["metadata"]["name"] for each in own] for own in by_member(job(), pods)] == [["second", "first"]]


def test_each_index_has_its_own_pods() -> None:
    pods = [member(0, ended(75)), member(1, running()), member(0, running(created=70), name="again")]
    assert members_of(of_two(job())) == 2
    names = [[each["metadata"]["name"] for each in own] for own in by_member(of_two(job()), pods)]
    assert names == [["again", f"{pods[0]['metadata']['name']}"], [pods[1]["metadata"]["name"]]]
    assert [index_of(each) for each in newest_of_each(of_two(job()), pods)] == [0, 1]
    assert newest_of_each(of_two(job()), pods[1:2]) == pods[1:2]


def test_the_index_is_an_annotation_where_kubernetes_is_old() -> None:
    assert index_of({"metadata": {"annotations": {"batch.kubernetes.io/job-completion-index": "3"}}}) == 3


@pytest.mark.parametrize(
    ("its_job", "pods", "done"),
    [
        (job(), [WELL], True),
        (job(), [], False),
        (of_two(job()), [member(0, WELL)], False),
        (of_two(job()), [member(0, WELL), member(1, running())], False),
        (of_two(job()), [member(0, WELL), member(1, ended(1))], False),
        (of_two(job()), [member(0, WELL), member(1, ended(1)), member(1, WELL)], True),
        (of_two(job(condition("Complete"))), [], True),
    ],
)
def test_the_work_is_done_when_each_is(its_job, pods, done) -> None:
    assert is_done(its_job, pods) is done
