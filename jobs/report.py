"""Run `ctiforge.programs.report`."""

from ctiforge.pod.entry import run_program
from ctiforge.programs.report import main

if __name__ == "__main__":
    run_program(main)
