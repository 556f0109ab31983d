"""The Jobs and pods of one piece of work, and what is said about them, as the cluster last told it."""

from dataclasses import dataclass, field

from ctiforge.launcher.kubernetes.client import Cluster, Object, ResourceKind
from ctiforge.launcher.kubernetes.manifests import job_name, selector
from ctiforge.launcher.kubernetes.reading import completed, is_owned_by
from ctiforge.launcher.kubernetes.watching import Changed


@dataclass
class Seen:
    """What is known of a piece of work; one of its attempts is followed."""

    cluster: Cluster
    key: str
    """What names the work in the cluster."""
    attempt: int = 0
    """The one that is followed."""
    jobs: dict[str, Object] = field(default_factory=dict)
    """Of all attempts, as are the pods."""
    pods: dict[str, Object] = field(default_factory=dict)
    events: dict[str, Object] = field(default_factory=dict)
    """Of the whole namespace."""
    workloads: dict[str, Object] = field(default_factory=dict)
    """Kueue's, of the whole namespace."""

    def note(self, change: Changed) -> None:
        """Take in what the watch tells."""
        match change:
            case Changed("jobs", name, value):
                _keep(self.jobs, name, value)
            case Changed("pods", name, value):
                _keep(self.pods, name, value)
            case Changed("events", name, value):
                if value:
                    self.events[name] = completed(value)
            case Changed("workloads", name, value):
                _keep(self.workloads, name, value)

    def look_again(self) -> None:
        """Read the work's Jobs and pods as they are now."""
        self.jobs, self.pods = self._list("jobs"), self._list("pods")

    @property
    def job(self) -> Object | None:
        """The Job that is followed; None where it is not there."""
        return self.jobs.get(job_name(self.key, self.attempt))

    @property
    def own_pods(self) -> list[Object]:
        """Pods of the Job as it is: one deleted before it and made again under the same name had others."""
        job = self.job
        return [pod for pod in self.pods.values() if job and is_owned_by(pod, job)]

    @property
    def own_events(self) -> list[Object]:
        """What is said about the Job and its pods."""
        names = {each["metadata"]["name"] for each in (self.job, *self.own_pods) if each}
        return [each for each in self.events.values() if each["involvedObject"].get("name") in names]

    @property
    def workload(self) -> Object | None:
        """Kueue's workload of the Job; None without one."""
        job = self.job
        return next((each for each in self.workloads.values() if job and is_owned_by(each, job)), None)

    def _list(self, kind: ResourceKind) -> dict[str, Object]:
        found, _ = self.cluster.list(kind, selector(self.key))
        return {each["metadata"]["name"]: each for each in found}


def _keep(objects: dict[str, Object], name: str, value: Object | None) -> None:
    if value is None:
        objects.pop(name, None)
    else:
        objects[name] = value
