"""OS-BERT: which operating system an article is about; prepare, train, evaluate, detect."""
