"""What the team stores becomes articles with labels: sources, choice of execution, report."""
