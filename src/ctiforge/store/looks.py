"""Which candidates were looked at on which version of a test set: `models/<line>/looks/` remembers it.

A look is one candidate, by its content, on one version of a test set; asking again is no further look.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from ctiforge.records.evaluation import TestSetInfo
from ctiforge.records.registry import GateLook, LookedAt
from ctiforge.store.objects import ObjectStore
from ctiforge.store.reading import MEND, parse_record, read_record


class Looks:
    """The looks of one line in one store."""

    def __init__(self, store: ObjectStore, line: str) -> None:
        self._store = store
        self._line = line
        self._folder = f"models/{line}/looks"

    def note(self, look: GateLook, content: str, test_set: TestSetInfo, articles: Sequence[str]) -> float:
        """Remember that a candidate was looked at on a version of a test set; asking again is no further look.

        Args:
            look: Who was held against whom, and when.
            content: The candidate's content hash, by which it is told from others.
            test_set: The version of the test set.
            articles: The ids of the articles in it.

        Returns:
            How many looks count on these articles so far, this one included; see `count`.
        """
        folder = self._of(test_set.content_hash)
        named = LookedAt(test_set=f"{test_set.name}@{test_set.version}", articles=tuple(articles))
        self._store.write_new(f"{folder}/{LookedAt.NAME}", named.to_json().encode())
        key = f"{folder}/{content}/{GateLook.NAME}"
        if not self._store.write_new(key, look.to_json().encode()):
            # evaluated anew, it has other figures; when it was first looked at stays
            data, tag = self._store.read_with_tag(key)
            first = parse_record(self._store, key, GateLook, data, MEND)
            at = first.at if first.against == look.against else look.at
            self._store.replace(key, look.model_copy(update={"at": at}).to_json().encode(), tag)
        return self.count(test_set.content_hash, articles)

    def before(self, look: GateLook, content: str, test_set_hash: str, but: Collection[str] = ()) -> list[GateLook]:
        """List the looks at other candidates, against the same model on the same articles, before a first look.

        Args:
            look: The candidate's own look; where it was looked at before, that first look counts.
            content: Its content hash.
            test_set_hash: The content hash of the version of the test set.
            but: Content hashes of candidates that are left out.

        Returns:
            The looks that were scored by the same rules, the newest last.
        """
        found: dict[str, GateLook] = {}
        for info in self._store.list(self._of(test_set_hash)):
            *_, name, file = info.key.split("/")
            if file == GateLook.NAME and name not in but:
                found[name] = read_record(self._store, info.key, GateLook, MEND)
        first = found.pop(content, look)
        if first.against != look.against:
            first = look
        same = [each for each in found.values() if (each.against, each.scoring) == (look.against, look.scoring)]
        return sorted((each for each in same if each.at < first.at), key=lambda each: each.at)

    def was_looked_at(self, content: str, test_set_hash: str) -> bool:
        """Tell whether a candidate was looked at before on a version of a test set.

        Args:
            content: The candidate's content hash.
            test_set_hash: The content hash of the version.

        Returns:
            True where another look costs nothing.
        """
        return bool(self._store.list(f"{self._of(test_set_hash)}/{content}"))

    def count(self, test_set_hash: str, articles: Sequence[str]) -> float:
        """Count the candidates that were looked at on these articles.

        One that was looked at on another version counts by the share of these articles that are in that version,
        too: what is new among them knows nothing of it.

        Args:
            test_set_hash: The content hash of the version.
            articles: The ids of the articles in it.

        Returns:
            The number of looks, not whole where versions overlap in part.
        """
        counted: Counter[str] = Counter()
        known: dict[str, frozenset[str]] = {}
        for info in self._store.list(f"{self._folder}"):
            test_set, _, name = info.key.removeprefix(f"{self._folder}/").partition("/")
            if name == LookedAt.NAME:
                known[test_set] = frozenset(read_record(self._store, info.key, LookedAt, MEND).articles)
            else:
                counted[test_set] += 1
        wanted = frozenset(articles)
        looks = sum(count * len(known.get(each, wanted) & wanted) / len(wanted) for each, count in counted.items())
        # registries of before counted pairs of models, on one version each
        return looks + len(self._store.list(f"models/{self._line}/comparisons/{test_set_hash}"))

    def by_test_set(self) -> dict[str, float]:
        """Count the looks at every version of a test set that candidates were looked at on.

        Returns:
            `name@version` → its looks, as `count` counts them.
        """
        keys = [each.key for each in self._store.list(f"{self._folder}")]
        found = {key: read_record(self._store, key, LookedAt, MEND) for key in keys if key.endswith(LookedAt.NAME)}
        return {each.test_set: self.count(key.split("/")[-2], each.articles) for key, each in found.items()}

    def _of(self, test_set_hash: str) -> str:
        return f"{self._folder}/{test_set_hash}"
