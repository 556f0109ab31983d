"""Every file that one room writes and another reads, typed once: a model each, with a schema number."""
