"""The control: plans a line of stages, runs it on a backend, shows and records how it goes."""
