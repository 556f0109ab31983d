"""Run `ctiforge.programs.testset`."""

from ctiforge.pod.entry import exit_on_error
from ctiforge.programs.testset import app

if __name__ == "__main__":
    exit_on_error(app)
