"""One module a stage or verb: flags, one call into the library, what is printed, exit."""
