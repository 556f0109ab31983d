"""Run `ctiforge.programs.export_model`."""

from ctiforge.pod.entry import run_program
from ctiforge.programs.export_model import main

if __name__ == "__main__":
    run_program(main)
