"""Fine-tuning: windows, batches, checkpoints, and a trainer that can be stopped at any step."""
