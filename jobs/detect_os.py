"""Run `ctiforge.programs.detect_os`."""

from ctiforge.pod.entry import run_program
from ctiforge.programs.detect_os import main

if __name__ == "__main__":
    run_program(main)
