"""Run `ctiforge.programs.baselines_os`."""

from ctiforge.pod.entry import run_program
from ctiforge.programs.baselines_os import main

if __name__ == "__main__":
    run_program(main)
