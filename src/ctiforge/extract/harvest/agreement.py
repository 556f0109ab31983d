"""How far the executions that read one article agree: where they do not, at most one of them is right."""

from collections import Counter
from collections.abc import Sequence

from ctiforge.data.articles import Execution
from ctiforge.observables.values import normalize


def agreement(executions: Sequence[Execution]) -> dict[str, float]:
    """Compute, by type, the share of the values found by any completed execution that all of them found.

    Types that at least two of them say something about; where none found anything they agree: 1.
    """
    completed = [each for each in executions if each.status == "completed" and each.outcome.generation]
    if len(completed) < 2:
        return {}
    said = Counter(type_ for each in completed for type_ in each.outcome.labelled_types)
    return {type_: _shared(completed, type_) for type_, count in sorted(said.items()) if count > 1}


def _shared(executions: Sequence[Execution], type_: str) -> float:
    found = [
        {normalize(item.type, item.value) for item in each.outcome.observables if item.type == type_}
        for each in executions
        if type_ in each.outcome.labelled_types
    ]
    union = set.union(*found)
    return len(set.intersection(*found)) / len(union) if union else 1.0
