"""Observables in a text: their canonical form, and where they stand."""
