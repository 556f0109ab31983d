"""`evaluation.json` of the Extract Agent: one model on one test set, its figures and every article."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from ctiforge.records.answer import ChoiceQuality
from ctiforge.records.base import File, Record, Upgrade, is_none

Direction = Literal["higher", "lower", "none"]


Unit = Literal["share", "number"]


RowGroup = Literal["overall", "type", "values", "tag"]


ItemOutcome = Literal["found", "missed", "wrong"]


Grounding = Literal["located", "altered", "invented"]


class ModelInfo(Record):
    """Which model was scored."""

    name: str
    """What people call it."""
    version: str
    """The beginning of its files' content hash; of the rules the version of ctiforge, of a hub or served model a
    name."""


class TestSetInfo(Record):
    """Which articles it was scored on; two evaluations are comparable when the content hashes are equal."""

    __test__ = False  # not a test class, whatever pytest makes of its name

    name: str
    """The test set's name, or that of the file."""
    version: str
    """Its version in the store, else the beginning of the hash."""
    content_hash: str
    """SHA-256 of the file of its articles, in hex digits."""
    articles: int
    """Articles that were scored."""
    unlabelled: int = 0
    """Articles in which no type is labeled: never scored."""
    drawn_from: int | None = Field(None, exclude_if=is_none)
    """Labeled articles that those scored were drawn from; None: all were scored."""

    @property
    def whole(self) -> int:
        """Count the test set's labeled articles, scored or not."""
        return self.drawn_from or self.articles


class MetricFigure(Record):
    """One figure with its direction and, from enough articles on, its interval."""

    label: str
    """What tables call it."""
    direction: Direction
    """Word which way is better."""
    unit: Unit
    """Whether it is a share, 0 to 1, or a number."""
    value: float | None
    """The figure; None where nothing speaks for it."""
    low: float | None
    """The lower end of its interval; None where too few articles carry it."""
    high: float | None
    """The upper end; None like `low`."""
    support: int
    """Articles that speak for it."""
    beside: float | None = None
    """What to read it against: the truth's figure, or a floor's; None where there is none."""
    beside_label: str = ""
    """What `beside` is."""


class QualityRow(Record):
    """Quality over one subset: everything, a type, unseen or obfuscated values, the articles of a tag."""

    label: str
    """What tables call the subset."""
    group: RowGroup
    """What kind of subset it is."""
    articles: int
    """Articles of the subset with anything expected."""
    expected: int
    """Items that the annotator found."""
    predicted: int
    """Items that the model found."""
    found: int
    """Items that both found, by their normalized values."""
    precision: float | None
    """found / predicted; None where nothing was predicted."""
    recall: float | None
    """found / expected; None where nothing was expected."""
    f1: float | None
    """Micro-F1 of normalized values, 0 to 1; None where there is no item."""
    f1_strict: float | None
    """The same where only exactly equal values count as found."""
    f1_partial: float | None = None
    """The same where items found in part count as found."""
    low: float | None
    """The lower end of F1's interval; None where too few articles carry it."""
    high: float | None
    """The upper end; None like `low`."""


class Intervals(Record):
    """How the intervals were made."""

    method: str
    """In words."""
    level: float
    """The intervals' confidence, 0 to 1."""
    least_articles: int
    """Figures that fewer articles speak for have no interval."""


def with_intervals(value: dict[str, Any]) -> dict[str, Any]:
    """Upgrade a file of the time when intervals were those of the bootstrap.

    Args:
        value: The file's content.

    Returns:
        The same, with what it says of them under its name of today.
    """
    if "bootstrap" not in value:
        return value
    old = value["bootstrap"]
    method = f"bootstrap over articles, {old['replicates']} replicates"
    rest = {name: each for name, each in value.items() if name != "bootstrap"}
    return {**rest, "intervals": {"method": method, "level": old["level"], "least_articles": old["least_articles"]}}


class Answers(Record):
    """What the windows of one article cost and how sound their raw answers were, before any repair."""

    windows: int = 0
    """Windows that were answered, halves of one counted by themselves."""
    json_parsed: int = 0
    """Raw answers that are JSON."""
    schema_valid: int = 0
    """Raw answers of the right form."""
    stopped_by_length: int = 0
    """Answers that were cut off for lack of room."""
    halved: int = 0
    """Windows whose answer had no room and that were asked again in halves; the halves are what counts above."""
    duplicates: int = 0
    """Items that an answer repeats."""
    failed: int = 0
    """Windows without any answer."""
    prompt_tokens: int = 0
    """Of all windows together."""
    answer_tokens: int = 0
    """Of all windows together."""
    seconds: float = 0.0
    """For the whole article."""


class ScoredItem(Record):
    """One item of an article; values as the annotator and as the extractor wrote them."""

    type: str
    """The observable's type."""
    outcome: ItemOutcome
    """Found by both, missed by the extractor, or wrongly found by it alone."""
    expected: str | None = None
    """The annotator's value; None for a wrong item."""
    predicted: str | None = None
    """The extractor's value; None for a missed item."""
    exact: bool = False
    """Whether it is found and both values are exactly equal."""
    grounding: Grounding | None = None
    """Of a predicted value: does it stand in the article."""
    nearest: str | None = None
    """What the article says instead of a value that does not stand there; None where nothing is like it."""
    near: str | None = None
    """Of a missed item the wrong value that gives it in part; of that wrong one the missed value."""
    unseen: bool | None = None
    """Whether training never showed this value; None where the training data is unknown."""
    obfuscated: bool = False
    """Whether the value hides what it says: split words, Base64, defanging."""
    platform_expected: str | None = None
    """The annotator's platform; None where nobody said."""
    platform_predicted: str | None = None
    """The extractor's platform; None where it said none."""


class TypeCounts(Record):
    """Items of one labeled type in one article, each normalized key once."""

    expected: int
    """What the annotator found."""
    predicted: int
    """What the extractor found."""
    found: int
    """What both found."""
    missed: int
    """What the annotator alone found."""
    wrong: int
    """What the extractor alone found."""


class ArticleScore(Record):
    """One article's counts and items; types that nobody labeled are not in it."""

    id: str
    """The article's id."""
    title: str = ""
    """The article's title."""
    url: str | None = None
    """The page's address; None where nobody knows it."""
    tags: dict[str, str] = {}
    """Labels that figures are broken down by."""
    counts: dict[str, TypeCounts]
    """Labeled type → its counts."""
    items: tuple[ScoredItem, ...]
    """Every item, each normalized value once."""
    expected_observables: int
    """Items of the annotator, before equal values are counted once."""
    predicted_observables: int
    """Items of the extractor, before equal values are counted once."""
    answers: Answers
    """What the windows cost and how sound their answers were."""
    error: str | None = None
    """Why the extractor gave nothing; None where it did not fail."""


class Price(Record):
    """What a million tokens cost, in the team's own currency."""

    read: float
    """Of prompts."""
    written: float
    """Of answers."""


class EngineInfo(Record):
    """The engine that answered in the place of this package's own generation."""

    command: str
    """The command that started it: its places unfilled, its secrets masked."""
    version: str
    """What its program or its server says of itself."""


class Evaluation(File):
    """One Extract Agent, or a floor, on one test set: its figures and every article."""

    NAME: ClassVar[str] = "evaluation.json"
    SCHEMA: ClassVar[int] = 3
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {2: lambda value: {**with_intervals(value), "scoring": 1}}
    OLDEST: ClassVar[int] = 2

    model: ModelInfo
    """The model that was scored."""
    test_set: TestSetInfo
    """The articles that it was scored on."""
    scoring: int
    """The number of the rules by which an item counts as found: figures by other rules are not comparable."""
    fingerprint: str
    """Equal for the same weights, articles and training values."""
    training_values_known: bool
    """Whether items say if training ever showed their value."""
    failed: dict[str, int]
    """Why articles failed, and how many each."""
    metrics: dict[str, MetricFigure]
    """Every figure by its name."""
    rows: tuple[QualityRow, ...]
    """The quality table: everything, each type, unseen and obfuscated values, each tag."""
    intervals: Intervals
    """How the intervals were made."""
    articles: tuple[ArticleScore, ...]
    """Every scored article."""
    answers_left_out: int = 0
    """Raw answers for which `answers.jsonl.gz` beside it had no room."""
    price: Price | None = Field(None, exclude_if=is_none)
    """What the model's tokens cost; left out where nobody said."""
    choice: ChoiceQuality | None = Field(None, exclude_if=is_none)
    """How well the model tells windows with an item from windows without; left out where nobody says how it leans."""
    engine: EngineInfo | None = Field(None, exclude_if=is_none)
    """The engine that was started to answer; left out where none was."""
