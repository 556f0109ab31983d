"""A synthetic corpus with known answers, its database and the small base model: what the embedded defaults use."""
