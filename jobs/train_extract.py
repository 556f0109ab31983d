"""Run `ctiforge.programs.train_extract`."""

from ctiforge.pod.entry import run_program
from ctiforge.programs.train_extract import main

if __name__ == "__main__":
    run_program(main)
