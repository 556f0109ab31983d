"""The page to label on: candidates of several origins, what a person says of them, saved in the registry of labels."""
