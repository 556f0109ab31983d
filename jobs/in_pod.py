"""Run `ctiforge.programs.in_pod`: what a container starts with."""

import sys

from ctiforge.programs.in_pod import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
