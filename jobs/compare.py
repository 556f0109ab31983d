"""Run `ctiforge.programs.compare`."""

from ctiforge.pod.entry import run_program
from ctiforge.programs.compare import main

if __name__ == "__main__":
    run_program(main)
