"""Run `ctiforge.programs.collect_garbage`."""

from ctiforge.pod.entry import run_program
from ctiforge.programs.collect_garbage import main

if __name__ == "__main__":
    run_program(main)
