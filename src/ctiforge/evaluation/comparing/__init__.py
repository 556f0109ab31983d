"""Evaluations of one test set set against each other, row by row."""
