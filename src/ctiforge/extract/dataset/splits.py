"""Splits articles into training and validation by whole near-duplicate groups, alike in length and types."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ctiforge.records.article import ArticleRecord

_LENGTH_STEPS = (2_000, 8_000, 32_000)


@dataclass(frozen=True)
class Split:
    """Articles to train on, and articles to measure the loss on while training."""

    train: tuple[ArticleRecord, ...]
    validation: tuple[ArticleRecord, ...]


def split_by_group(records: Sequence[ArticleRecord], validation_share: float, seed: int) -> Split:
    """Put about `validation_share` of the groups into validation, spread evenly over length and types.

    Groups are sorted by stratum (length step, types found) and then by a seeded hash, and every n-th
    goes to validation: systematic sampling, which stratifies without cells that are too small.
    With two groups or more, both parts get at least one.
    """
    groups: dict[str, list[ArticleRecord]] = defaultdict(list)
    for record in records:
        groups[record.group or record.id].append(record)
    ordered = sorted(groups, key=lambda name: (_stratum(groups[name]), _hash(name, seed)))
    step = max(round(1 / validation_share), 2)
    chosen = set(ordered[step // 2 :: step]) or set(ordered[:1] if len(ordered) > 1 else [])
    train = [record for name in ordered if name not in chosen for record in groups[name]]
    validation = [record for name in ordered if name in chosen for record in groups[name]]
    return Split(_in_order(train), _in_order(validation))


def _in_order(records: Sequence[ArticleRecord]) -> tuple[ArticleRecord, ...]:
    return tuple(sorted(records, key=lambda record: record.id))


def _stratum(group: Sequence[ArticleRecord]) -> tuple[int, str]:
    length = max(len(record.content) for record in group)
    types = sorted({item.type for record in group for item in record.observables})
    return sum(length > step for step in _LENGTH_STEPS), ",".join(types)


def _hash(name: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()
