"""Run `ctiforge.programs.check_devices`."""

from ctiforge.pod.entry import run_program
from ctiforge.programs.check_devices import main

if __name__ == "__main__":
    run_program(main)
