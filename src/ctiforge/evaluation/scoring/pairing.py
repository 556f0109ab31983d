"""The largest one-to-one pairing of two lists: as many pairs as can be, and of those with as many the highest total."""

from collections.abc import Iterator

import numpy as np

_SHARE_UNITS = 1_000_000
"""Weights are compared in whole numbers, so that equal totals are equal."""
_FAR = np.iinfo(np.int64).max // 4


def pair_up(weights: np.ndarray) -> dict[int, int]:
    """Pair rows with columns, each in one pair at most.

    The assignment problem by shortest augmenting paths (Jonker and Volgenant 1987), for each connected part of the
    graph by itself: what could be paired are a few items of an article each.

    Args:
        weights: Of shape (rows, columns), the weight of each pair, 0 to 1; below 0 where the two are no pair.

    Returns:
        The column of each row that has one.
    """
    paired: dict[int, int] = {}
    for rows, columns in _parts(weights >= 0):
        part = weights[np.ix_(rows, columns)]
        # a pair more is worth more than all weights together
        more = (min(part.shape) + 1) * _SHARE_UNITS
        costs = np.where(part >= 0, -more - np.rint(part * _SHARE_UNITS), 0).astype(np.int64)
        wide = part.shape[0] <= part.shape[1]
        for one, other in enumerate(_cheapest(costs if wide else costs.T)):
            row, column = (one, other) if wide else (other, one)
            if part[row, column] >= 0:
                paired[int(rows[row])] = int(columns[column])
    return paired


def _parts(joined: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Split the graph into what hangs together: rows and columns, sorted."""
    left = np.asarray(joined.any(axis=1))
    while left.any():
        rows: np.ndarray = np.zeros(len(left), dtype=bool)
        rows[left.argmax()] = True
        while True:
            columns = joined[rows].any(axis=0)
            reached = joined[:, columns].any(axis=1)
            if (reached == rows).all():
                break
            rows = np.asarray(reached)
        left = np.logical_and(left, ~rows)
        yield np.flatnonzero(rows), np.flatnonzero(columns)


def _cheapest(costs: np.ndarray) -> list[int]:
    """Give each row a column of its own at the least total cost; there are at least as many columns as rows."""
    count, width = costs.shape
    of_row, of_column = np.zeros(count, dtype=np.int64), np.zeros(width, dtype=np.int64)
    owner: np.ndarray = np.full(width, -1)
    for start in range(count):
        distance: np.ndarray = np.full(width, _FAR)
        before: np.ndarray = np.full(width, -1)
        done: np.ndarray = np.zeros(width, dtype=bool)
        reached: list[int] = []
        row, column, way = start, -1, 0
        while column < 0 or owner[column] >= 0:
            step = way + costs[row] - of_row[row] - of_column
            shorter = ~done & (step < distance)
            distance[shorter], before[shorter] = step[shorter], column
            # of equally near columns a free one ends the way
            column = int(np.argmin(np.where(done, _FAR * 2, distance * 2 + (owner >= 0))))
            way = int(distance[column])
            if owner[column] >= 0:
                done[column] = True
                reached.append(column)
                row = int(owner[column])
        of_row[start] += way
        for each in reached:
            of_row[owner[each]] += way - distance[each]
            of_column[each] -= way - distance[each]
        while column >= 0:
            previous = int(before[column])
            owner[column] = owner[previous] if previous >= 0 else start
            column = previous
    places = np.empty(count, dtype=np.int64)
    taken = np.flatnonzero(owner >= 0)
    places[owner[taken]] = taken
    return [int(each) for each in places]
