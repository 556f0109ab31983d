"""Run `ctiforge.programs.demo_database`."""

from ctiforge.pod.entry import exit_on_error
from ctiforge.programs.demo_database import app

if __name__ == "__main__":
    exit_on_error(app)
