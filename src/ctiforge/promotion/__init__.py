"""A model before the gate: what it is compared with, what it was trained on, its place in the registry."""
