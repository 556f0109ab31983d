"""`report.json`: what a harvest read, kept and left out."""

from typing import ClassVar

from ctiforge.records.base import File


class HarvestReport(File):
    """Counts of one harvest; `read` is the sum of `kept` and of all `excluded`."""

    NAME: ClassVar[str] = "report.json"

    read: int
    """Articles."""
    executions: int
    """Executions of those articles, of the statuses asked for."""
    kept: int
    """Articles in `records.jsonl`."""
    positives: int
    """Kept articles with an observable."""
    negatives: int
    """Kept articles without any."""
    observables: int
    """Of all kept articles."""
    excluded: dict[str, int]
    """Reason → articles that were left out."""
    unlabelled: dict[str, int]
    """Type and reason to articles in which it is unlabeled for that."""
    labelers: dict[str, int] = {}
    """Who labeled to types of kept articles."""
    seen_in_part: dict[str, int] = {}
    """Type to kept articles of which its labeler saw a part, and that part alone is labeled."""
    evaluation_runs: int = 0
    """Executions that were run to evaluate the application's agents, and label nothing."""
    own_answers: int = 0
    """Answers (a type of an execution) of models that came out of ctiforge, which label nothing."""
    labels_left_out: dict[str, int] = {}
    """Reason to labels of people that label nothing here."""
    label_conflicts: tuple[str, ...] = ()
    """`article id: type` of two people who said different things of one text; the first counts."""
    articles_read_again: int
    """Articles that two completed executions or more say something about."""
    disagreements: dict[str, int]
    """Type to articles whose executions found different values of it."""
    least_agreement: dict[str, float]
    """Of the articles whose executions agree least: id to the share of their values that all found."""
    items_set_aside: dict[str, int]
    """Reason → items of results that could not be read."""
    files_set_aside: dict[str, str]
    """Result file that could not be read → why."""
    entries_set_aside: dict[str, int]
    """Reason → entries of result files that could not be read."""
    generations: dict[str, int]
    """Format of the stored result, `G1` to `G5` → kept articles."""
    labelled_articles: dict[str, int]
    """Type to kept articles in which it is labeled."""
    positive_articles: dict[str, int]
    """Type → kept articles with an observable of it."""
    observables_by_type: dict[str, int]
    """Type → observables of kept articles."""
    platforms: dict[str, int]
    """Platform to observables."""
    lengths: dict[str, int]
    """Characters of content to kept articles."""
    observables_per_article: dict[str, int]
    """Observables → kept articles with so many."""
