"""What a finished model becomes for others: merged, a GGUF, LM Studio's; its card, its place on the Hub."""
