"""Harvested articles become training examples: windows with answers, splits, token counts, a last check."""
