"""The Kubernetes backend: each program as a Job made from the chart's template, watched to its end."""

import functools
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from ctiforge.errors import ExitCode, StoreError
from ctiforge.launcher.backend import Command, Event, Made, Outcome, Task, read_event
from ctiforge.launcher.kubernetes.client import Cluster, Object, ResourceKind
from ctiforge.launcher.kubernetes.manifests import place_of, selector, template_name, with_ranks_of, work_key
from ctiforge.launcher.kubernetes.namespace_news import NamespaceNews
from ctiforge.launcher.kubernetes.refusals import ClusterError
from ctiforge.launcher.kubernetes.stopping import Stopping
from ctiforge.launcher.kubernetes.templates import Templates
from ctiforge.launcher.kubernetes.watching import Watching
from ctiforge.launcher.kubernetes.work import Work
from ctiforge.launcher.plan import Answer
from ctiforge.launcher.planner import Planner
from ctiforge.store.artifacts import artifact_key, read_manifest
from ctiforge.store.launcher_note import launchers_alive
from ctiforge.store.objects import ObjectStore

GOES_ON = (ExitCode.DONE, ExitCode.GATE, ExitCode.INTERRUPTED)
"""Ends of a program with which its run goes on, now or when it is started again."""


class KubernetesBackend:
    """Runs programs as Jobs of one release of the chart; a Job goes on when the launcher does not."""

    goes_on = "what runs in the cluster goes on (`ctiforge cancel` stops it)"
    brings_demo = False

    def __init__(self, cluster: Cluster, release: str, store: ObjectStore) -> None:
        self._cluster = cluster
        self._release = release
        self._place = place_of(release, store.uri)
        self._store = store
        self._templates = Templates(cluster, release, store)
        self._planner = Planner("image")
        self._planned_with: dict[str, Object] = {}
        self._news = NamespaceNews(cluster)

    def ask(self, commands: Mapping[str, Command]) -> dict[str, Answer]:
        """Ask what each command would make in its image; see `Backend.ask`."""
        return self._planner.ask(self._in_pods(commands))

    def check(self, commands: Mapping[str, Command]) -> dict[str, Answer]:
        """Ask whether each command's flags can be read; see `Backend.check`."""
        self._templates.expect(command.program for command in commands.values())
        return self._planner.check(commands)

    def estimate(self, commands: Mapping[str, Command]) -> list[str]:
        """Ask what memory each command takes; see `Backend.estimate`."""
        return self._planner.estimate(self._in_pods(commands))

    def close(self) -> None:
        """End what answers questions, and the watches of the namespace."""
        self._planner.close()
        self._news.close()

    def run(self, command: Command, on_event: Callable[[Event], None]) -> Outcome:
        """Run the program to its end; see `Backend.run`. Raises ClusterError where the cluster refuses."""
        assert command.task
        task = replace(command.task, place=self._place)
        try:
            outcome = self._follow(command, task, on_event)
        except ClusterError:
            self._templates.forget(task.run)
            raise
        if outcome.exit_code in (ExitCode.DONE, ExitCode.GATE) and outcome.made is None:
            outcome = replace(outcome, made=self._made(command, task))
        if outcome.exit_code not in GOES_ON:
            self._templates.forget(task.run)
        return outcome

    def _follow(self, command: Command, task: Task, on_event: Callable[[Event], None]) -> Outcome:
        template = self._templates.of(task.run, command.program)
        key = work_key(command.program, task)
        kinds: dict[ResourceKind, str | None] = {"jobs": selector(key), "pods": selector(key)}
        with (
            Watching(self._cluster, kinds) as watching,
            self._news.told(key, watching.changes),
            Stopping(self._store, task.run) as stopping,
        ):
            is_made = functools.partial(self._is_made, command, task)
            told = (on_event, watching, stopping)
            return Work(self._cluster, command, task, template, *told, is_made, self._is_alone).run()

    def _in_pods(self, commands: Mapping[str, Command]) -> dict[str, Command]:
        return {name: self._in_pod(command) for name, command in commands.items()}

    def _in_pod(self, command: Command) -> Command:
        program = command.program
        # what the cluster has against it is said when the stage's turn has come
        with suppress(ClusterError):
            if program not in self._planned_with:
                self._planned_with[program] = self._cluster.cron_job(template_name(self._release, program))
            return replace(command, arguments=with_ranks_of(self._planned_with[program], command.arguments))
        return command

    def _is_made(self, command: Command, task: Task) -> bool:
        return self._made(command, task) is not None

    def _is_alone(self) -> bool:
        """Whether no other launcher of the release lives: one that was killed counts until its note is stale."""
        try:
            heard = launchers_alive(self._store, self._cluster.now())
        except (StoreError, OSError):
            return False
        return sum(each.release == self._release for each in heard) <= 1

    def _made(self, command: Command, task: Task) -> Made | None:
        """Give the artifact, where the log that names it is gone: by its fingerprint, or from the log's saved tail."""
        if task.fingerprint:
            folder = artifact_key(command.program, task.fingerprint)
            if read_manifest(self._store, folder):
                return Made(task.fingerprint, f"{self._store.uri}/{folder}", False)
            return None
        for info in reversed(self._store.list(f"runs/{task.run}/logs")):
            if info.key.rpartition("/")[2].startswith(f"{task.stage}-"):
                for line in reversed(self._store.read(info.key).decode(errors="replace").splitlines()):
                    event = read_event(line)
                    if isinstance(event, Made):
                        return event
        return None
