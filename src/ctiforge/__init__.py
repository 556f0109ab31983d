"""Train, evaluate, promote and export the two models of a threat-intelligence team."""

__version__ = "0.1.0"

__version__ = "0.1.0"
