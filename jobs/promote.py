"""Run `ctiforge.programs.promote`."""

from ctiforge.pod.entry import run_program
from ctiforge.programs.promote import main

if __name__ == "__main__":
    run_program(main)
