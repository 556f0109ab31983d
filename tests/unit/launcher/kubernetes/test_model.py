"""Whatever the cluster, its API and the launchers' machines do: no running pod is ended, no run without an end.

A model of the cluster (`simulation`) is driven by hypothesis: it draws what happens and in which order launchers
look. `make prove-launcher` does the same ten thousand times.
"""

from tests.unit.launcher.kubernetes.simulation.machine import Launchers, settings_for

TestLaunchers = Launchers.TestCase
TestLaunchers.settings = settings_for(200)
