"""Makes the demo's base model: a tokenizer and a small model that can copy. Done once; the result is shipped."""
