"""The stages of the Extract Agent.

`train`, `evaluate`, `export` and `testset_review` stand on three rooms that do not know each other (`harvest`,
`dataset`, `answering`), which stand on `prompts`, `prepared` and `models`.
"""
