"""Who says which operating system an article is about: a rule, a language model, people; and how far they agree."""
