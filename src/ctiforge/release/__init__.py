"""What a finished model becomes for others: its card, its place on the Hub."""
