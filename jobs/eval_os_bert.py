"""Run `ctiforge.programs.eval_os_bert`."""

from ctiforge.pod.entry import run_program
from ctiforge.programs.eval_os_bert import main

if __name__ == "__main__":
    run_program(main)
