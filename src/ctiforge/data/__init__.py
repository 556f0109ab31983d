"""Rows of the team's database and result files, articles and test sets, as records."""
