"""Keeps what was read of stored executions in the store, so that a nightly harvest reads what is new.

`outcomes/<database>/<reader>/<part>.json.gz` holds the executions of `PART` articles. An entry counts while its row has
the same `xmin` (the transaction that last wrote it), and while results are read by the same reader. It is a cache:
whoever deletes it loses time alone.
"""

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ctiforge.data.articles import Execution
from ctiforge.data.generations import READER, ReadResult
from ctiforge.data.states import ExtractorState, TypeState
from ctiforge.records.observable import Observable
from ctiforge.store.objects import ObjectStore

PART = 500
"""Ids of articles that share an object."""


class OutcomeCache:
    """What is known of the executions of one database; use it in the order of the articles' ids, then `close` it."""

    def __init__(self, store: ObjectStore, database: str) -> None:
        self._store = store
        self._folder = f"outcomes/{database}/{READER}"
        self._parts: dict[int, _Part] = {}
        self.hits = 0

    def known(self, article_id: int, ids: Sequence[int], xmins: Sequence[int]) -> dict[int, Execution]:
        """Look up executions of one article.

        Args:
            article_id: The article's id.
            ids: The executions' ids.
            xmins: The `xmin` of each one's row now.

        Returns:
            Those that were read before and have not changed, by id.
        """
        entries = self._part(article_id).entries
        found = {
            id_: _execution(entries[str(id_)][1])
            for id_, xmin in zip(ids, xmins, strict=True)
            if str(id_) in entries and entries[str(id_)][0] == xmin
        }
        self.hits += len(found)
        return found

    def add(self, article_id: int, id_: int, xmin: int, execution: Execution) -> None:
        """Keep what was read of an execution.

        Args:
            article_id: Its article's id.
            id_: Its own id.
            xmin: The `xmin` of its row.
            execution: What was read.
        """
        part = self._part(article_id)
        part.entries[str(id_)] = [xmin, _written(execution)]
        part.changed = True

    def write_before(self, article_id: int) -> None:
        """Write and forget the parts that lie wholly before an article."""
        for number in sorted(number for number in self._parts if number < article_id // PART):
            self._write(number, self._parts.pop(number))

    def close(self) -> None:
        """Write what is still in memory."""
        for number in sorted(self._parts):
            self._write(number, self._parts.pop(number))

    def _part(self, article_id: int) -> "_Part":
        number = article_id // PART
        if number not in self._parts:
            self._parts[number] = _Part(self._read(number))
        return self._parts[number]

    def _read(self, number: int) -> dict[str, list[Any]]:
        try:
            entries = json.loads(gzip.decompress(self._store.read(self._key(number))))
        except FileNotFoundError:
            return {}
        except (ValueError, OSError, EOFError):
            # a damaged part is read anew
            return {}
        return entries if isinstance(entries, dict) else {}

    def _write(self, number: int, part: "_Part") -> None:
        if part.changed:
            # no time in the header: the same entries are the same bytes
            data = gzip.compress(json.dumps(part.entries, separators=(",", ":")).encode(), compresslevel=3, mtime=0)
            self._store.write(self._key(number), data)

    def _key(self, number: int) -> str:
        return f"{self._folder}/{number:08d}.json.gz"


@dataclass
class _Part:
    entries: dict[str, list[Any]] = field(default_factory=dict)
    """Id of an execution → its `xmin`, and what was read."""
    changed: bool = False


def _written(execution: Execution) -> dict[str, Any]:
    outcome = execution.outcome
    return {
        "status": execution.status,
        "finished_at": execution.finished_at,
        "generation": outcome.generation,
        "observables": [[o.type, o.value, o.platform] for o in outcome.observables],
        "states": {type_: [s.state, s.why, s.model, s.cut_after] for type_, s in outcome.states.items()},
        "set_aside": outcome.set_aside,
        "agent_models": dict(execution.agent_models),
        "evaluation": execution.evaluation,
        "seen_text": execution.seen_text,
    }


def _execution(entry: dict[str, Any]) -> Execution:
    observables = tuple(Observable.model_construct(type=t, value=v, platform=p) for t, v, p in entry["observables"])
    states = {
        type_: TypeState(ExtractorState(state), why, model, cut_after)
        for type_, (state, why, model, cut_after) in entry["states"].items()
    }
    outcome = ReadResult(entry["generation"], observables, states, Counter(entry["set_aside"]))
    return Execution(
        entry["status"],
        entry["finished_at"],
        outcome,
        entry["agent_models"],
        entry["evaluation"],
        entry["seen_text"],
    )
