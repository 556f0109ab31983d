"""How well a model does.

`side_by_side` stands on `comparing`, `gate` and `tables`; these on `scoring`, and that on `statistics`.
"""
