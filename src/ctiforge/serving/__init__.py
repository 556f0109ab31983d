"""A promoted model behind an application: its requests are recognized, read once, and answered in its own shape."""
