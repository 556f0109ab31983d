"""How well a model does: matching, scores, intervals, comparison and the gate."""
