"""`evaluation.json` of the Extract Agent: one model on one test set, its figures and every article."""

from typing import ClassVar, Literal

from ctiforge.records.base import File, Record

Direction = Literal["higher", "lower", "none"]


Unit = Literal["share", "number"]


RowGroup = Literal["overall", "type", "values", "tag"]


ItemOutcome = Literal["found", "missed", "wrong"]


Grounding = Literal["located", "altered", "invented"]


class ModelInfo(Record):
    """Which model was scored: the name it goes by, the version of exactly these weights."""

    name: str
    version: str


class TestSetInfo(Record):
    """Which articles it was scored on; two evaluations are comparable when the content hashes are equal."""

    __test__ = False  # not a test class, whatever pytest makes of its name

    name: str
    version: str
    content_hash: str
    articles: int
    unlabelled: int = 0
    """Articles in which no type is labeled: never scored."""


class MetricFigure(Record):
    """One figure with its direction and, from enough articles on, its interval."""

    label: str
    direction: Direction
    unit: Unit
    value: float | None
    low: float | None
    high: float | None
    support: int
    beside: float | None = None
    beside_label: str = ""


class QualityRow(Record):
    """Quality over one subset: everything, a type, unseen or obfuscated values, the articles of a tag."""

    label: str
    group: RowGroup
    articles: int
    """Articles of the subset with anything expected."""
    expected: int
    predicted: int
    found: int
    precision: float | None
    recall: float | None
    f1: float | None
    f1_strict: float | None
    f1_partial: float | None = None
    low: float | None
    """Interval of F1; None where too few articles carry it."""
    high: float | None


class Bootstrap(Record):
    """How the intervals were made."""

    level: float
    replicates: int
    seed: int
    least_articles: int


class Answers(Record):
    """What the windows of one article cost and how sound their raw answers were, before any repair."""

    windows: int = 0
    json_parsed: int = 0
    schema_valid: int = 0
    stopped_by_length: int = 0
    halved: int = 0
    """Windows whose answer had no room and that were asked again in halves; the halves are what counts above."""
    duplicates: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    seconds: float = 0.0


class ScoredItem(Record):
    """One item of an article; values as the annotator and as the extractor wrote them."""

    type: str
    outcome: ItemOutcome
    expected: str | None = None
    predicted: str | None = None
    exact: bool = False
    grounding: Grounding | None = None
    """Of a predicted value: does it stand in the article."""
    nearest: str | None = None
    """What the article says instead of a value that does not stand there; None where nothing is like it."""
    near: str | None = None
    """Of a missed item the wrong value that gives it in part; of that wrong one the missed value."""
    unseen: bool | None = None
    """Whether training never showed this value; None where the training data is unknown."""
    obfuscated: bool = False
    platform_expected: str | None = None
    platform_predicted: str | None = None


class TypeCounts(Record):
    """Items of one labeled type in one article, each normalized key once."""

    expected: int
    predicted: int
    found: int
    missed: int
    wrong: int


class ArticleScore(Record):
    """One article's counts and items; types that nobody labeled are not in it."""

    id: str
    title: str = ""
    url: str | None = None
    tags: dict[str, str] = {}
    counts: dict[str, TypeCounts]
    items: tuple[ScoredItem, ...]
    expected_observables: int
    predicted_observables: int
    """Items as delivered, before equal values are counted once."""
    answers: Answers
    error: str | None = None


class Evaluation(File):
    """One evaluation, as `evaluation.json` holds it."""

    NAME: ClassVar[str] = "evaluation.json"
    SCHEMA: ClassVar[int] = 2
    OLDEST: ClassVar[int] = 2

    model: ModelInfo
    test_set: TestSetInfo
    fingerprint: str
    training_values_known: bool
    failed: dict[str, int]
    """Why articles failed, and how many each."""
    metrics: dict[str, MetricFigure]
    rows: tuple[QualityRow, ...]
    bootstrap: Bootstrap
    articles: tuple[ArticleScore, ...]
