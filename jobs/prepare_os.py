"""Run `ctiforge.programs.prepare_os`."""

from ctiforge.pod.entry import run_program
from ctiforge.programs.prepare_os import main

if __name__ == "__main__":
    run_program(main)
