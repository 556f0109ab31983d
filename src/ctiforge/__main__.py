"""`python -m ctiforge`: the command, where it is not on the path."""

from ctiforge.cli import main

if __name__ == "__main__":
    main()
