"""An article is answered: windows, the model or endpoint that is asked, merging, the rules it is compared with."""
