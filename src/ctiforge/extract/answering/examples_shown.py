"""Examples in a prompt: the training passages that are most like the one that is asked about.

What a base model makes of a few solved examples is what fine-tuning has to beat.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ctiforge.errors import UsageError
from ctiforge.records.article import read_records
from ctiforge.records.base import read_lines
from ctiforge.records.formatted import TRAINED_ON, ExampleRow

COUNTS = (1, 2, 4)
"""How many examples are tried where validation chooses."""


@dataclass(frozen=True)
class SolvedPassage:
    """A window of a training article with its answer."""

    text: str
    types: tuple[str, ...]
    answer: str


class SolvedPassages:
    """Training passages by likeness: TF-IDF over the letters of words, cosine."""

    def __init__(self, passages: Sequence[SolvedPassage]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._passages = passages
        self._vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
        self._vectors = self._vectorizer.fit_transform([each.text for each in passages])

    def nearest(self, text: str, types: Sequence[str], count: int) -> list[SolvedPassage]:
        """List the passages most like a text among those that answer any of its types, the most like one last.

        Args:
            text: The window that is asked about.
            types: What is asked for.
            count: How many, at most.

        Returns:
            Passages; those of the very same text are left out.
        """
        likeness = (self._vectors @ self._vectorizer.transform([text]).T).toarray()[:, 0]
        ranked = sorted(range(len(self._passages)), key=lambda each: (-likeness[each], each))
        usable = (self._passages[each] for each in ranked)
        wanted = [each for each in usable if each.text != text and not set(each.types).isdisjoint(types)]
        return wanted[:count][::-1]


@dataclass(frozen=True)
class ShownExamples:
    """What prompts show before the window that is asked about."""

    passages: SolvedPassages
    count: int
    """How many, at most."""


def read_passages(prepared: Path, part: str = "train") -> list[SolvedPassage]:
    """Read the passages of prepared data.

    Args:
        prepared: The output folder of format_extract.
        part: `train` or `validation`.

    Returns:
        Every example as a passage, in the file's order.

    Raises:
        UsageError: The folder does not hold the articles that its examples are cut from.
    """
    if not (prepared / TRAINED_ON).is_file():
        raise UsageError(f"{prepared} holds no {TRAINED_ON}, which examples are shown from: run format_extract again")
    texts = {each.id: each.content for each in read_records(prepared / TRAINED_ON)}
    rows = read_lines(prepared / f"{part}.jsonl", ExampleRow)
    return [SolvedPassage(texts[row.article_id][row.start : row.end], row.types, row.answer) for row in rows]
