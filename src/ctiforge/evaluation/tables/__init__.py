"""Evaluations, comparisons and decisions as tables to read."""
