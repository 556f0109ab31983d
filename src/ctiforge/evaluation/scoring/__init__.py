"""What was answered is matched with what is true, and counted: items of the Extract Agent, classes of OS-BERT."""
