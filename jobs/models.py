"""Run `ctiforge.programs.models`."""

from ctiforge.pod.entry import exit_on_error
from ctiforge.programs.models import app

if __name__ == "__main__":
    exit_on_error(app)
