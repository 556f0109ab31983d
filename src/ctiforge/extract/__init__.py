"""The stages of the Extract Agent: harvest, format, check, train, extract, evaluate, export."""
