"""What may happen to work in a cluster, drawn by hypothesis, and what must be true whatever happens."""

from collections import Counter, deque
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ctiforge.launcher.kubernetes.refusals import ClusterError
from tests.unit.launcher.kubernetes.simulation.follower import Follower, Stopped, reordered
from tests.unit.launcher.kubernetes.simulation.world import CONTRACT, KILLED, PENDING_S, RUN_S, Pod, World

TICK_S = 1.0
SETTLED_WITHIN_S = 3_000.0
"""Once all is well again, every launcher ends within so many simulated seconds."""
RARELY = st.integers(0, 3)
"""What ends a launcher is done where this is 0: else few runs would get far."""
COUNTED: Counter[str] = Counter()
"""How often each thing happened, over all runs of this process."""


def settings_for(runs: int) -> settings:
    """Give hypothesis' settings for so many runs: the same ones each time."""
    return settings(
        max_examples=runs,
        stateful_step_count=25,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        verbosity=Verbosity.normal,
    )


class Launchers(RuleBasedStateMachine):
    """Up to two launchers follow one piece of work."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.launchers: list[Follower] = []
        self.serial = 0
        COUNTED["runs"] += 1

    @initialize(
        work_s=st.sampled_from([5.0, 60.0, 300.0]),
        skew_s=st.sampled_from([-1e6, 0.0, 1e6]),
        beside=st.booleans(),
        members=st.sampled_from([1, 1, 2]),
    )
    def begin(self, work_s: float, skew_s: float, beside: bool, members: int) -> None:
        self.world.work_s, self.world.sidecars, self.world.members = work_s, beside, members
        COUNTED["runs of two pods"] += members > 1
        self._launch("mine", skew_s)

    # time, and whose turn it is

    @rule(seconds=st.sampled_from([1.0, 3.0, 10.0, 30.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        """All launchers look once a second, as they do."""
        self._pass(seconds)

    @rule()
    def pods_get_to_run(self) -> None:
        """Nothing holds the work for a while."""
        self._let_in()
        self._pass(20.0)

    @precondition(lambda self: self._living())
    @rule(which=st.integers(0, 1))
    def one_looks_alone(self, which: int) -> None:
        self._one(which).look()

    @precondition(lambda self: self._living())
    @rule(which=st.integers(0, 1), hours=st.sampled_from([0.02, 1.0, 9.0]), clock_stands=st.booleans())
    def machine_sleeps(self, which: int, hours: float, clock_stands: bool) -> None:
        """A laptop is closed; the other launcher goes on."""
        COUNTED["sleeps"] += 1
        sleeper, seconds = self._one(which), hours * 3600
        for _ in range(20):
            self.world.advance(seconds / 20)
            for each in self._living():
                if each is not sleeper:
                    each.look()
        if clock_stands:
            sleeper.api.asleep_s += seconds
            sleeper.api.unheard_s += seconds

    # launchers

    @precondition(lambda self: len(self._living()) < 2)
    @rule(mine=st.sampled_from([False, False, True]), skew_s=st.sampled_from([-3600.0, 0.0, 1e9]))
    def another_launcher(self, mine: bool, skew_s: float) -> None:
        COUNTED["further launchers"] += 1
        self._launch("mine" if mine else "theirs", skew_s)

    @precondition(lambda self: self._living())
    @rule(which=st.integers(0, 1))
    def launcher_is_killed(self, which: int) -> None:
        COUNTED["launchers killed"] += 1
        self._one(which).kill()

    # the API

    @precondition(lambda self: self._living())
    @rule(which=st.integers(0, 1), late=st.booleans())
    def watch_is_late(self, which: int, late: bool) -> None:
        COUNTED["late watches"] += late
        self._one(which).api.is_late = late

    @precondition(lambda self: self._living())
    @rule(which=st.integers(0, 1), waits_s=st.sampled_from([0.0, 20.0]))
    def pods_run_unseen(self, which: int, waits_s: float) -> None:
        """What waits gets to run just after a watch has fallen behind."""
        COUNTED["late watches"] += 1
        self.world.has_room = False
        self._pass(waits_s)
        self._one(which).api.is_late = True
        self._let_in()
        self._pass(40.0)

    @precondition(lambda self: self._living())
    @rule(which=st.integers(0, 1))
    def watch_loses_news(self, which: int) -> None:
        """The connection breaks; what was lost comes by a list, later."""
        COUNTED["news lost"] += 1
        self._one(which).api.lose_news()

    @precondition(lambda self: self._living())
    @rule(which=st.integers(0, 1), order=st.randoms(use_true_random=False), twice=st.booleans())
    def watch_repeats_and_reorders(self, which: int, order: Any, twice: bool) -> None:
        COUNTED["news reordered"] += 1
        launcher = self._one(which)
        news = [*launcher.queue, *launcher.api.news()]
        launcher.queue = deque(reordered(news * 2 if twice else news, order.shuffle))

    @precondition(lambda self: self._living())
    @rule(which=st.integers(0, 1), seconds=st.sampled_from([0.0, 0.5, 8.0]), loses=st.booleans())
    def api_is_slow(self, which: int, seconds: float, loses: bool) -> None:
        COUNTED["slow answers"] += bool(seconds)
        api = self._one(which).api
        api.latency_s, api.loses_answers = seconds, loses

    @precondition(lambda self: self._living())
    @rule(which=st.integers(0, 1), draw=RARELY)
    def api_is_gone(self, which: int, draw: int) -> None:
        """It stays so for longer than the client tries."""
        if draw == 0:
            COUNTED["API gone"] += 1
            self._one(which).api.is_gone = True

    # the cluster

    @precondition(lambda self: any(self.world.live_pods()))
    @rule(which=st.integers(0, 3), why=st.sampled_from(["EvictionByEvictionAPI", "PreemptionByScheduler"]))
    def pod_is_disrupted(self, which: int, why: str) -> None:
        COUNTED["disruptions"] += 1
        self.world.disrupt(self._pod(which), why)

    @precondition(lambda self: any(self.world.live_pods()))
    @rule(which=st.integers(0, 3))
    def pod_is_deleted_by_force(self, which: int) -> None:
        COUNTED["pods deleted"] += 1
        self.world.remove(self._pod(which))

    @rule(code=st.sampled_from([1, 2, 3, 4, 5, KILLED, KILLED, 139]))
    def program_will_fail(self, code: int) -> None:
        self.world.next_code = code

    @precondition(lambda self: any(self.world.live_pods()))
    @rule(which=st.integers(0, 3), dies=st.booleans())
    def node_is_lost(self, which: int, dies: bool) -> None:
        COUNTED["nodes lost"] += 1
        pod = self._pod(which)
        if pod.lost_at is None:
            self.world.lose_node(pod, dies)

    @rule()
    def nodes_are_back(self) -> None:
        for pod in list(self.world.live_pods()):
            if pod.lost_at is not None:
                self.world.find_node(pod)

    @rule(has_room=st.booleans(), is_narrow=st.booleans())
    def room_comes_and_goes(self, has_room: bool, is_narrow: bool) -> None:
        """There may be room for one pod, where two work together."""
        self.world.has_room, self.world.is_narrow = has_room, is_narrow

    @rule(held=st.booleans())
    def queue_holds_or_lets_in(self, held: bool) -> None:
        """As Kueue does: by suspending Jobs that are there, and new ones."""
        COUNTED["suspended"] += held
        self.world.holds_new_jobs = held
        for job in self.world.jobs.values():
            if not job.over:
                job.suspended = held

    @rule(gates=st.booleans())
    def gates_open_and_close(self, gates: bool) -> None:
        self.world.gates = gates
        for pod in self.world.live_pods():
            pod.gated = pod.gated and gates

    @rule(quota=st.sampled_from([None, 0, 1]))
    def quota_changes(self, quota: int | None) -> None:
        COUNTED["quotas"] += quota is not None
        self.world.quota = quota

    @precondition(lambda self: self.world.jobs)
    @rule(draw=RARELY)
    def somebody_deletes_the_jobs(self, draw: int) -> None:
        if draw:
            return
        COUNTED["jobs deleted"] += 1
        for name in list(self.world.jobs):
            self.world.delete(name)

    # what must be true

    @invariant()
    def nobody_did_what_must_not_be_done(self) -> None:
        for each in self.launchers:
            assert not each.api.violations, self._story()

    @invariant()
    def there_is_one_artifact_at_most(self) -> None:
        assert self.world.artifacts <= 1, self._story()

    @invariant()
    def every_end_has_its_cause(self) -> None:
        for each in self.launchers:
            self._check_end(each)

    def teardown(self) -> None:
        """All is well again: every launcher comes to an end, and the next one brings the work to its end."""
        try:
            self._heal()
            self._pass(SETTLED_WITHIN_S, until_over=True)
            assert not self._living(), f"a launcher does not end\n{self._story()}"
            # what a killed launcher left behind is taken up by the next
            if self.world.artifacts == 0 or self._places_taken():
                self.world.next_code = 0
                last = self._launch("mine")
                self._pass(SETTLED_WITHIN_S, until_over=True)
                # what stopped before may be what stops it: the limit of its run, a crash too many
                assert last.is_over, f"the last launcher does not end\n{self._story()}"
            assert not self._places_taken(), f"a finished program still takes its place\n{self._story()}"
            self.nobody_did_what_must_not_be_done()
            self.there_is_one_artifact_at_most()
            self.every_end_has_its_cause()
        finally:
            COUNTED.update(f"programs that ended with {code}" for code in self.world.ended_with)
            COUNTED["attempts"] += len(
                {line for line in self.world.told if line.endswith("is made") and " job " in line}
            )
            for each in self.launchers:
                each.kill()

    def _check_end(self, launcher: Follower) -> None:
        if launcher.error is not None:
            assert isinstance(launcher.error, Stopped | ClusterError), f"{launcher.error!r}\n{self._story()}"
            return
        if (outcome := launcher.outcome) is None:
            return
        if outcome.exit_code == 0:
            assert self.world.artifacts == 1, f"done without an artifact\n{self._story()}"
            return
        assert outcome.cause is not None, f"ended with {outcome.exit_code} and no cause\n{self._story()}"
        assert self._is_true(outcome.exit_code, outcome.cause.category), (
            f"{launcher.api.name} ends with {outcome.exit_code}: {outcome.cause.summary}\n{self._story()}"
        )

    def _is_true(self, code: int, category: str) -> bool:
        """Whether what a launcher ended with has happened."""
        world = self.world
        match category:
            case "job deleted":
                return world.jobs_deleted > 0
            case "quota exceeded":
                return world.has_refused_all
            case "ran too long":
                return world.ran_s > RUN_S - 1
            case "out of memory":
                return KILLED in world.ended_with
            case "usage error" | "data error" | "cannot go on" | "gate not passed":
                return code in CONTRACT and code in world.ended_with
            case "crashed" | "killed" | "job failed":
                return any(world.ended_with)
        waited = max([*world.pending_s.values(), 0.0]) > PENDING_S - 1
        unmade = max([*world.unmade_s.values(), 0.0]) > PENDING_S
        return code == 4 and (waited or unmade)

    def _places_taken(self) -> bool:
        """Whether the newest attempt's program has ended, and its pod has not."""
        newest = max(self.world.jobs.values(), key=lambda job: job.attempt, default=None)
        pods = self.world.pods_of(newest.name) if newest and not newest.over else []
        return any(pod.is_there and not pod.is_live for pod in pods)

    def _let_in(self) -> None:
        world = self.world
        world.has_room, world.gates, world.holds_new_jobs, world.quota = True, False, False, None
        world.is_narrow = False
        for job in world.jobs.values():
            job.suspended = False
        for pod in world.live_pods():
            pod.gated = False

    def _heal(self) -> None:
        self._let_in()
        self.nodes_are_back()
        for each in self._living():
            each.api.is_late = each.api.is_gone = False
            each.api.latency_s = 0.0

    def _pass(self, seconds: float, until_over: bool = False) -> None:
        end = self.world.seconds + seconds
        while self.world.seconds < end:
            living = self._living()
            if not living and until_over:
                return
            # launchers see a change in a second; where none is there, time is all that passes
            self.world.advance(TICK_S if living else end - self.world.seconds)
            for each in living:
                each.look()

    def _launch(self, run: str, skew_s: float = 0.0) -> Follower:
        self.serial += 1
        launcher = Follower(
            self.world,
            f"launcher {self.serial}",
            run,
            skew_s,
            is_alone=lambda: sum(each.is_heard for each in self.launchers) <= 1,
        )
        self.launchers.append(launcher)
        self.world.tell(f"launcher {self.serial} starts for run {run}")
        return launcher

    def _living(self) -> list[Follower]:
        return [each for each in self.launchers if not each.is_over]

    def _one(self, which: int) -> Follower:
        living = self._living() or self.launchers
        return living[which % len(living)]

    def _pod(self, which: int) -> Pod:
        live = list(self.world.live_pods())
        return live[which % len(live)]

    def _story(self) -> str:
        return "\n".join(["", *self.world.told[-80:]])
