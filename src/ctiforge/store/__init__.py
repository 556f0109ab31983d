"""Objects, artifacts, runs: where results lie and how they are kept whole."""
