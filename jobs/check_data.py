"""Run `ctiforge.programs.check_data`."""

from ctiforge.pod.entry import run_program
from ctiforge.programs.check_data import main

if __name__ == "__main__":
    run_program(main)
