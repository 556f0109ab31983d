"""The client against an API that answers late, wrongly or in pages, over real HTTP."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes import client

from ctiforge.errors import ExitCode
from ctiforge.launcher.kubernetes import client as times
from ctiforge.launcher.kubernetes.client import Cluster
from ctiforge.launcher.kubernetes.refusals import ClusterError

WITHIN_S = 20
Answer = tuple[int, object]


class Api:
    """What the API answers to each path, one after another; the last one stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: Counter[str] = Counter()
        self.queries: list[dict[str, list[str]]] = []
        self.sent: list[object] = []
        self.headers: list[dict[str, str]] = []
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.was_asked = threading.Event()

    def answer(self, path: str) -> Answer:
        place = urlsplit(path)
        self.asked[place.path] += 1
        self.queries.append(parse_qs(place.query))
        self.was_asked.set()
        assert self.goes_on.wait(WITHIN_S)
        known = self.answers[place.path]
        return known.pop(0) if len(known) > 1 else known[0]


@pytest.fixture
def api() -> Iterator[Api]:
    return Api()


@pytest.fixture
def cluster(api: Api) -> Iterator[Cluster]:
    with serving(api) as host:
        configuration = client.Configuration()
        configuration.host = host
        yield Cluster(configuration, "ml")


@contextmanager
def serving(api: Api) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            api.headers.append(dict(self.headers))
            if length := int(self.headers.get("Content-Length", 0)):
                api.sent.append(json.loads(self.rfile.read(length)))
            status, body = api.answer(self.path)
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


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


def kubeconfig(cluster: dict[str, str], **user: object) -> bytes:
    return json.dumps(
        {
            "clusters": [{"name": "a", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": "t", **user}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "u"}}],
            "current-context": "a",
        }
    ).encode()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{{{{\n", "no usable kubeconfig: "),
        (b"\xff\xfe\x00", "no usable kubeconfig: "),
        (kubeconfig({"server": "https://api", "certificate-authority-data": "@@@notbase64"}), "no usable kubeconfig: "),
        (kubeconfig({"server": "api.corp:6443"}), "the kubeconfig's server is api.corp:6443, no URL"),
        (kubeconfig({}), "the kubeconfig's server is empty, no URL"),
    ],
)
def test_a_kubeconfig_that_is_none_is_said(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(content)
    assert connected(KUBECONFIG=str(tmp_path / "config")).startswith(told)


def test_all_is_asked_as_whom_the_kubeconfig_acts(api: Api, tmp_path: Path) -> None:
    config = tmp_path / "config"
    api.answers["/version/"] = [(200, {"gitVersion": "v1.34.4"})]
    with serving(api) as host:
        config.write_bytes(kubeconfig({"server": host}, **{"as": "ana", "as-uid": "7", "as-groups": ["ml"]}))
        assert connected(KUBECONFIG=str(config)) == ""
        config.write_bytes(kubeconfig({"server": host}, **{"as": "ana", "as-groups": ["ml", "ops"]}))
        assert "user u acts with several as-groups" in connected(KUBECONFIG=str(config))
    (headers,) = api.headers
    said = {name: value for name, value in headers.items() if name.startswith("Impersonate-")}
    assert said == {"Impersonate-User": "ana", "Impersonate-Uid": "7", "Impersonate-Group": "ml"}


def test_a_pod_without_a_token_has_a_kubeconfig_or_is_told_of_both(tmp_path: Path) -> None:
    in_pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443", "HOME": str(tmp_path)}
    assert "set KUBECONFIG, or log in to the cluster, or give this pod its account's token" in connected(**in_pod)
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube/config").write_bytes(kubeconfig({"server": "api.corp"}))
    assert connected(**in_pod).startswith("the kubeconfig's server is api.corp")


def connected(**environment: str) -> str:
    """What a launcher of its own process, with these variables alone, says of connecting."""
    code = (
        "from ctiforge.launcher.kubernetes.client import connect; from ctiforge.errors import UsageError\n"
        "try: connect()\n"
        "except UsageError as error: print(error)"
    )
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
