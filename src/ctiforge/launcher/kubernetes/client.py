"""What the launcher asks of the Kubernetes API: plain objects (the API's own JSON), errors in one line."""

import copy
import functools
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from ctiforge.launcher.kubernetes.refusals import (
    ClusterError,
    explain,
    explain_foreign,
    explain_silence,
    is_foreign,
    read_answer,
)

Object = dict[str, Any]
ResourceKind = Literal["jobs", "pods", "events", "workloads"]
"""What is watched; `workloads` are Kueue's, where the cluster has it."""

CONNECT_S = 5
READ_S = 30
WATCH_S = 300
FOLLOW_S = 600
"""A program may be silent; after this the connection is made anew, in case it is dead."""
TRIES = 30
"""Of one request, with waits of up to 5 s between them: an API server that restarts is back within two minutes."""
PASSING = (429, 502, 503, 504, 500)
"""What may be otherwise the next time; 500 is a webhook that does not answer, or etcd that changes its leader."""
EXISTS = "already exists"
"""What the API says of a name that is taken; its other conflicts (409) pass: a quota that others count on just now."""
CONFLICTS = 10
"""So often is a Job's creation tried that meets a conflict which passes."""
CONFLICT_S = 0.1
"""Waited before it is tried again, each time as long again as before: 4.5 s in all."""
PAGE = 500
"""Objects that one answer holds: a namespace may have tens of thousands of events."""


KUEUE = "kueue.x-k8s.io"


class Cluster:
    """One namespace of a cluster. Every method raises ClusterError where it is refused or nobody answers."""

    def __init__(self, configuration: Any, namespace: str, acts_as: Mapping[str, str] | None = None) -> None:
        import urllib3
        from kubernetes import client

        self.namespace = namespace
        self._acts_as = acts_as or {}
        """Headers that say on whose behalf all is asked."""
        # its retries are told by nobody: what fails in the end is
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        configuration.retries = urllib3.Retry(
            total=TRIES,
            backoff_factor=0.3,
            backoff_max=5,
            status_forcelist=PASSING,
            allowed_methods=None,
            raise_on_status=False,
        )
        self.api = self.client(configuration)
        # a node that does not answer is an error 500 of the log alone, and may stay one
        impatient = copy.copy(configuration)
        impatient.retries = configuration.retries.new(status_forcelist=PASSING[:-1])
        self._logs = client.CoreV1Api(self.client(impatient))
        self._batch = client.BatchV1Api(self.api)
        self._core = client.CoreV1Api(self.api)
        self._impatient = configuration
        self._told: tuple[datetime, float] | None = None
        """The API server's time as it told it last, and when that was by the monotonic clock."""
        self._kueue: str | None = None
        """The version of Kueue's API; "" where the cluster has none, None before it was asked."""
        self._unanswered: dict[int, float] = {}
        """When each thread asked what has not been answered yet, by the monotonic clock."""

    def client(self, configuration: Any) -> Any:
        """Make a client of the API with this configuration, which asks on the same person's behalf."""
        from kubernetes import client

        api = client.ApiClient(configuration)
        for name, value in self._acts_as.items():
            api.set_default_header(name, value)
        return api

    def now(self) -> datetime:
        """Tell the API server's time: what the API's objects say of times is compared with this alone.

        Returns:
            What its last answer was dated, and what has passed since by the monotonic clock; this machine's
            own time before the first answer.
        """
        if self._told is None:
            return datetime.now(UTC)
        then, monotonic = self._told
        return then + timedelta(seconds=time.monotonic() - monotonic)

    def silent_s(self) -> float:
        """Tell for how long the API has left a request unanswered, tries again included; 0 where it owes no answer."""
        asked = min(list(self._unanswered.values()), default=None)
        return 0.0 if asked is None else time.monotonic() - asked

    def check(self) -> str:
        """Ask for the cluster's version, once and impatiently; gives it back."""
        from kubernetes import client

        once = copy.copy(self._impatient)
        once.retries = False
        what = "reach the API"
        version = self._call(lambda **k: client.VersionApi(self.client(once)).get_code(**k), what)
        if "gitVersion" not in version:
            raise ClusterError(explain_foreign(what, once.host, 200, version))
        return str(version["gitVersion"])

    def may(self, resource: str, verb: str) -> bool:
        """Whether we may do this with `jobs.batch`, `pods/log` or the like; the cluster lets everybody ask."""
        from kubernetes import client

        name, _, group = resource.partition(".")
        name, _, subresource = name.partition("/")
        asked = {"group": group, "resource": name, "subresource": subresource, "verb": verb}
        review = {"spec": {"resourceAttributes": {"namespace": self.namespace, **asked}}}
        api = client.AuthorizationV1Api(self.api)
        answer = self._call(lambda **k: api.create_self_subject_access_review(review, **k), "ask what you may do")
        return bool(answer.get("status", {}).get("allowed"))

    def cron_job(self, name: str) -> Object:
        """Give a stage's job template."""
        return self._call(
            lambda **k: self._batch.read_namespaced_cron_job(name, self.namespace, **k), f"get cronjob {name}"
        )

    def create_job(self, job: Object, *, dry_run: bool = False) -> bool:
        """Create the Job, or ask whether it could be; False when there is one of that name."""
        from kubernetes import client

        name = job["metadata"]["name"]
        # as it is: the client's own models refuse what a cluster that is newer than they has put into a template
        create = client.CustomObjectsApi(self.api).create_namespaced_custom_object
        how = {"dry_run": "All"} if dry_run else {}
        conflicts = 0
        while True:
            try:
                self._call(
                    lambda **k: create("batch", "v1", self.namespace, "jobs", job, **how, **k), f"create job {name}"
                )
            except ClusterError as error:
                if error.status == 409 and EXISTS in str(error):
                    return False
                conflicts += 1
                if error.status != 409 or conflicts == CONFLICTS:
                    raise
            else:
                return True
            time.sleep(conflicts * CONFLICT_S)

    def job(self, name: str) -> Object | None:
        """Give the Job, None when there is none."""
        return self._call_or_none(
            lambda **k: self._batch.read_namespaced_job(name, self.namespace, **k), f"get job {name}"
        )

    def pod(self, name: str) -> Object | None:
        """Give the pod, None when there is none."""
        return self._call_or_none(
            lambda **k: self._core.read_namespaced_pod(name, self.namespace, **k), f"get pod {name}"
        )

    def delete_job(self, name: str) -> None:
        """Delete the Job and, in the background, its pods; one that is not there is no error."""
        self._call_or_none(
            # without it the API orphans the pods, which would run on
            lambda **k: self._batch.delete_namespaced_job(name, self.namespace, propagation_policy="Background", **k),
            f"delete job {name}",
        )

    def has_kueue(self) -> bool:
        """Whether the cluster has Kueue's API."""
        return self._kueue_version() is not None

    def tells_of_queues(self) -> bool:
        """Whether the cluster has Kueue, and lets us read why a Job waits in its queue."""
        if not self.has_kueue():
            return False
        try:
            self.list("workloads")
        except ClusterError as error:
            # a role of an older chart, or of the team's own
            if error.status in (403, 404):
                return False
            raise
        return True

    def list(self, kind: ResourceKind, selector: str | None = None) -> tuple[list[Object], str]:
        """All objects of the kind with these labels, and the resourceVersion to watch from."""
        items: list[Object] = []
        page: dict[str, str] = {}
        while True:
            options = {"label_selector": selector, "limit": PAGE, **page}
            found = self._call(functools.partial(self._lister(kind), self.namespace, **options), f"list {kind}")
            items += found["items"]
            # all pages are of one version, which a watch goes on from
            if not (token := found["metadata"].get("continue")):
                return items, found["metadata"]["resourceVersion"]
            page = {"_continue": token}

    def watch(self, kind: ResourceKind, selector: str | None, version: str) -> Iterator[Object]:
        """Watch events {type, object} from `version` on, until the server ends the watch."""
        from kubernetes.watch.watch import iter_resp_lines

        answer = self._open(
            lambda **k: self._lister(kind)(
                self.namespace,
                label_selector=selector,
                watch=True,
                resource_version=version,
                allow_watch_bookmarks=True,
                timeout_seconds=WATCH_S,
                **k,
            ),
            f"watch {kind}",
            read_s=WATCH_S + READ_S,
        )
        try:
            for line in iter_resp_lines(answer):
                yield json.loads(line)
        finally:
            answer.close()

    def log(self, pod: str, container: str, *, follow: bool, since: str | None = None) -> Iterator[str]:
        """Lines of a pod's log with the time of each in front, from the time `since` on."""
        from kubernetes.watch.watch import iter_resp_lines

        seconds = _seconds_since(since) if since else None
        answer = self._open(
            lambda **k: self._logs.read_namespaced_pod_log(
                pod,
                self.namespace,
                container=container,
                follow=follow,
                timestamps=True,
                **({"since_seconds": seconds} if seconds else {}),
                **k,
            ),
            f"read the log of pod {pod}",
            read_s=FOLLOW_S if follow else READ_S,
            of_api=False,
        )
        try:
            yield from iter_resp_lines(answer)
        finally:
            answer.close()

    def _lister(self, kind: ResourceKind) -> Callable[..., Any]:
        listers: dict[ResourceKind, Callable[..., Any]] = {
            "jobs": self._batch.list_namespaced_job,
            "pods": self._core.list_namespaced_pod,
            "events": self._core.list_namespaced_event,
            "workloads": self._list_workloads,
        }
        return listers[kind]

    def _list_workloads(self, namespace: str, **options: Any) -> Any:
        from kubernetes import client

        # it takes no None for what is not asked for
        given = {name: value for name, value in options.items() if value is not None}
        return client.CustomObjectsApi(self.api).list_namespaced_custom_object(
            KUEUE, self._kueue_version(), namespace, "workloads", **given
        )

    def _kueue_version(self) -> str | None:
        """Give the version of Kueue's API that the cluster prefers; None without Kueue. Asked once."""
        from kubernetes import client

        if self._kueue is None:
            groups = self._call(lambda **k: client.ApisApi(self.api).get_api_versions(**k), "list the API's groups")
            found = [each["preferredVersion"]["version"] for each in groups["groups"] if each["name"] == KUEUE]
            self._kueue = found[0] if found else ""
        return self._kueue or None

    def _call(self, call: Callable[..., Any], what: str) -> Object:
        answer = self._open(call, what, read_s=READ_S, preload=True)
        found = read_answer(answer.data)
        if found is None:
            said = answer.data.decode(errors="replace")
            raise ClusterError(explain_foreign(what, self.api.configuration.host, answer.status, said))
        return found

    def _call_or_none(self, call: Callable[..., Any], what: str) -> Object | None:
        """Give the same, None where there is no such object."""
        try:
            return self._call(call, what)
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    def _open(
        self, call: Callable[..., Any], what: str, read_s: float, preload: bool = False, of_api: bool = True
    ) -> Any:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError, SSLError

        if of_api:
            self._unanswered[threading.get_ident()] = time.monotonic()
        try:
            answer = call(_preload_content=False, _request_timeout=(CONNECT_S, read_s))
            if preload:
                answer.read(cache_content=True)
        except ApiException as error:
            host = self.api.configuration.host
            if not error.status:
                # what the client makes of a certificate that it does not trust: no answer came
                raise ClusterError(explain_silence(what, host, SSLError(error.reason))) from None
            if is_foreign(error.status, error.body):
                raise ClusterError(explain_foreign(what, host, error.status, error.body)) from None
            raise ClusterError(explain(what, self.namespace, error.status, error.body), error.status) from None
        except (HTTPError, OSError) as error:
            raise ClusterError(explain_silence(what, self.api.configuration.host, error)) from None
        finally:
            self._unanswered.pop(threading.get_ident(), None)
        self._note_time(answer.headers.get("Date"))
        return answer

    def _note_time(self, date: str | None) -> None:
        try:
            self._told = (parsedate_to_datetime(date or ""), time.monotonic())
        except ValueError:
            # a proxy that leaves it out: the last one goes on
            return


def _seconds_since(time: str) -> int:
    # the API cuts to whole seconds: lines that come twice are dropped by their time
    then = datetime.fromisoformat(time[:19]).replace(tzinfo=UTC)
    return max(1, int((datetime.now(UTC) - then).total_seconds()) + 2)
