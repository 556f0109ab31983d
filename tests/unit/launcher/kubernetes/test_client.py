"""The client against an API that answers late, wrongly or in pages, over real HTTP."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client

from ctiforge.errors import ExitCode
from ctiforge.launcher.kubernetes import client as times
from ctiforge.launcher.kubernetes.client import Cluster
from ctiforge.launcher.kubernetes.refusals import ClusterError
from tests.unit.launcher.kubernetes.answering import WITHIN_S, Answer, Api, serving


@pytest.fixture
def api() -> Iterator[Api]:
    return Api()


@pytest.fixture
def cluster(api: Api) -> Iterator[Cluster]:
    with serving(api) as host:
        configuration = client.Configuration()
        configuration.host = host
        yield Cluster(configuration, "ml")


JOBS, EVENTS, LOG = (
    "/apis/batch/v1/namespaces/ml/jobs",
    "/api/v1/namespaces/ml/events",
    "/api/v1/namespaces/ml/pods/p/log",
)
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def listed(*names: str, more: str = "") -> dict[str, Any]:
    return {
        "items": [{"metadata": {"name": name}} for name in names],
        "metadata": {"resourceVersion": "7", "continue": more},
    }


def failed(message: str) -> dict[str, str]:
    return {"kind": "Status", "status": "Failure", "message": message}


@pytest.mark.parametrize(
    "passing",
    [
        (500, failed('Internal error occurred: failed calling webhook "v.corp.example": connection refused')),
        (500, failed("etcdserver: leader changed")),
        (503, "upstream connect error"),
        (429, failed("too many requests")),
    ],
)
def test_an_error_that_passes_is_waited_out(api: Api, cluster: Cluster, passing: Answer) -> None:
    api.answers[JOBS] = [passing, (200, listed("a"))]
    assert [each["metadata"]["name"] for each in cluster.list("jobs")[0]] == ["a"]
    assert api.asked[JOBS] == 2


def test_a_job_is_created_though_a_webhook_does_not_answer_at_first(api: Api, cluster: Cluster) -> None:
    api.answers[JOBS] = [(500, failed("failed calling webhook")), (201, {})]
    assert cluster.create_job({"metadata": {"name": "a"}})


def test_what_a_policy_refuses_is_refused_once(api: Api, cluster: Cluster) -> None:
    api.answers[JOBS] = [(403, failed('admission webhook "validate.kyverno.svc-fail" denied the request: no limits'))]
    with pytest.raises(ClusterError, match=r"no limits; the admission webhook validate\.kyverno\.svc-fail refuses it"):
        cluster.create_job({"metadata": {"name": "a"}})
    assert api.asked[JOBS] == 1


def test_what_the_cluster_finds_invalid_says_what_to_mend(api: Api, cluster: Cluster) -> None:
    api.answers[JOBS] = [(422, failed('Job.batch "a" is invalid: spec.parallelism: Invalid value: -1'))]
    with pytest.raises(ClusterError, match=r"spec.parallelism: Invalid value: -1; the chart's values .* mend"):
        cluster.create_job({"metadata": {"name": "a"}})
    assert api.asked[JOBS] == 1


def test_a_job_is_created_after_a_conflict_that_passes_and_not_where_its_name_is_taken(
    api: Api, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    conflict = 'Operation cannot be fulfilled on resourcequotas "team": the object has been modified'
    api.answers[JOBS] = [(409, failed(conflict)), (409, failed(conflict)), (201, {})]
    assert cluster.create_job({"metadata": {"name": "a"}})
    api.answers[JOBS] = [(409, failed('jobs.batch "a" already exists'))]
    assert not cluster.create_job({"metadata": {"name": "a"}})
    monkeypatch.setattr(times, "CONFLICT_S", 0)
    api.answers[JOBS] = [(409, failed(conflict))]
    with pytest.raises(ClusterError, match=r"resourcequotas .team.*start the same command again"):
        cluster.create_job({"metadata": {"name": "a"}})


def test_a_job_is_sent_as_it_is_whatever_a_newer_cluster_put_into_its_template(api: Api, cluster: Cluster) -> None:
    api.answers[JOBS] = [(201, {})]
    spec = {"newerPolicy": "Fast", "template": {"spec": {"newerField": 3, "containers": [{"name": "stage"}]}}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": spec}
    assert cluster.create_job(job)
    assert api.sent == [job]


LOGIN = "<html><head><title>Sign in</title></head>\n<body>to the corporate proxy</body></html>"


@pytest.mark.parametrize(
    "answer", [(200, LOGIN), (403, LOGIN), (404, "default backend - 404"), (200, "null"), (200, "")]
)
def test_what_is_no_answer_of_kubernetes_is_said_and_no_job_is_taken_to_be_gone(
    api: Api, cluster: Cluster, answer: Answer
) -> None:
    api.answers = {f"{JOBS}/a": [answer], JOBS: [answer], "/version/": [answer], REVIEWS: [answer]}
    asked: tuple[Callable[[], object], ...] = (
        lambda: cluster.job("a"),
        lambda: cluster.delete_job("a"),
        lambda: cluster.list("jobs"),
        lambda: cluster.may("pods/log", "get"),
        cluster.check,
    )
    for ask in asked:
        with pytest.raises(ClusterError, match=f"answers as Kubernetes does not .status {answer[0]}.*NO_PROXY") as told:
            ask()
        assert "<" not in str(told.value)
        assert "launcher's role" not in str(told.value)


def test_another_server_that_answers_in_json_is_no_cluster(api: Api, cluster: Cluster) -> None:
    api.answers["/version/"] = [(200, {"error": "Unexpected endpoint or method. (GET /version/)"})]
    with pytest.raises(ClusterError, match=r"Unexpected endpoint.*mend the kubeconfig's server"):
        cluster.check()


def test_what_we_may_do_is_asked_in_words_that_the_api_knows(api: Api, cluster: Cluster) -> None:
    api.answers[REVIEWS] = [(201, {"status": {"allowed": True}}), (201, {"status": {"allowed": False}}), (201, {})]
    assert [cluster.may("jobs.batch", "create"), cluster.may("pods/log", "get"), cluster.may("events", "list")] == [
        True,
        False,
        False,
    ]
    assert [each["spec"]["resourceAttributes"] for each in api.sent[:2]] == [
        {"namespace": "ml", "group": "batch", "resource": "jobs", "subresource": "", "verb": "create"},
        {"namespace": "ml", "group": "", "resource": "pods", "subresource": "log", "verb": "get"},
    ]


def test_a_namespace_full_of_events_comes_in_pages(api: Api, cluster: Cluster) -> None:
    api.answers[EVENTS] = [(200, listed("a", "b", more="next")), (200, listed("c"))]
    found, version = cluster.list("events")
    assert ([each["metadata"]["name"] for each in found], version) == (["a", "b", "c"], "7")
    assert [query.get("continue") for query in api.queries] == [None, ["next"]]
    assert all(int(query["limit"][0]) <= 500 for query in api.queries)


def test_an_api_that_owes_an_answer_is_silent_until_it_gives_it(api: Api, cluster: Cluster) -> None:
    api.answers[JOBS] = [(200, listed())]
    assert cluster.silent_s() == 0
    api.goes_on.clear()
    asking = threading.Thread(target=cluster.list, args=("jobs",), daemon=True)
    asking.start()
    assert api.was_asked.wait(WITHIN_S)
    assert cluster.silent_s() > 0
    api.goes_on.set()
    asking.join(WITHIN_S)
    assert cluster.silent_s() == 0


def test_a_log_that_its_node_does_not_give_is_no_silence_of_the_api(api: Api, cluster: Cluster) -> None:
    api.answers[LOG] = [(500, failed("dial tcp 10.0.0.7:10250: connect: no route to host"))]
    with pytest.raises(ClusterError, match="no route to host"):
        list(cluster.log("p", "stage", follow=True))
    assert api.asked[LOG] == 1
    assert cluster.silent_s() == 0


def test_kueue_is_asked_for_once_in_the_version_that_the_cluster_prefers(api: Api, cluster: Cluster) -> None:
    group = {"name": "kueue.x-k8s.io", "preferredVersion": {"version": "v1beta2"}}
    workloads = "/apis/kueue.x-k8s.io/v1beta2/namespaces/ml/workloads"
    api.answers = {"/apis/": [(200, {"groups": [group]})], workloads: [(200, listed("w"))]}
    assert cluster.tells_of_queues()
    assert cluster.list("workloads")[0][0]["metadata"]["name"] == "w"
    assert api.asked["/apis/"] == 1


@pytest.mark.parametrize(("groups", "status"), [([], 200), ([{"name": "kueue.x-k8s.io"}], 403)])
def test_without_kueue_or_the_right_to_read_it_nothing_is_watched(
    api: Api, cluster: Cluster, groups: list[dict[str, Any]], status: int
) -> None:
    api.answers = {
        "/apis/": [(200, {"groups": [{**each, "preferredVersion": {"version": "v1beta2"}} for each in groups]})],
        "/apis/kueue.x-k8s.io/v1beta2/namespaces/ml/workloads": [(status, failed("workloads is forbidden"))],
    }
    assert not cluster.tells_of_queues()


def test_a_certificate_that_is_not_trusted_is_said(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1000)"

    def refuse(*_: object, **__: object) -> None:
        raise client.ApiException(status=0, reason=f"SSLError\n{said}")

    monkeypatch.setattr(client.VersionApi, "get_code", refuse)
    with pytest.raises(
        ClusterError, match=r"is not trusted .self-signed certificate.*fetch the kubeconfig again"
    ) as told:
        cluster.check()
    assert told.value.exit_code == ExitCode.CRASH, "nobody answered: no flag is wrong"
