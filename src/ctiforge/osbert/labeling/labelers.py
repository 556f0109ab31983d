"""Who labels: the labelers that a person named, ready to be asked."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctiforge.data.os_verdicts import NO_VERDICT, OsVerdict
from ctiforge.errors import UsageError
from ctiforge.osbert.labeling.keywords import KeywordLabeler
from ctiforge.osbert.labeling.review import SignedLabel, read_human_labels
from ctiforge.osbert.opinions import Labeler, Opinion, Unlabeled
from ctiforge.store.objects import open_store

NAMES = ("keywords", "application", "openai", "human")
UNSURE = "the application is not sure"
"""Flags an article of which the application calls its own confidence low."""
ReadVerdicts = Callable[[Sequence[int]], Mapping[int, OsVerdict]]
"""Reads what the application says about the articles of some ids."""


@dataclass(frozen=True)
class LabelingEndpoint:
    """What is asked for labels, and where its answers are kept; see `OpenAiLabeler`."""

    url: str | None
    """The address, None for OpenAI's own."""
    model: str | None
    """The model's name there; None where nobody named one."""
    answers: str
    """The URI of the store that keeps the answers."""
    concurrency: int
    """Requests under way at once."""
    timeout_s: float
    """Seconds to wait for one answer."""
    price_in: float | None
    """Price of a million prompt tokens; None: no cost is told."""
    price_out: float | None
    """Price of a million answer tokens; None: no cost is told."""


class ApplicationLabeler:
    """What the team's own application said of each article; `read` asks its database."""

    name = "application"

    def __init__(self, read: ReadVerdicts) -> None:
        self.read = read

    def label(self, articles: Iterable[Unlabeled]) -> Generator[tuple[Unlabeled, Opinion]]:
        """Label the articles; see `Labeler.label`."""
        asked = list(articles)
        verdicts = self.read([int(article.id) for article in asked])
        for article in asked:
            verdict = verdicts.get(int(article.id), OsVerdict(None, NO_VERDICT))
            yield article, Opinion(verdict.label, flags=(UNSURE,) if verdict.unsure else (), problem=verdict.problem)


class HumanLabeler:
    """The labels that people gave, by article id, else by hash of the text; a copy's label is the article's."""

    name = "human"
    """What data and models are told: people's names are nobody's business who gets a model."""

    def __init__(self, labels: Mapping[str, SignedLabel]) -> None:
        self.labels = labels

    def label(self, articles: Iterable[Unlabeled]) -> Generator[tuple[Unlabeled, Opinion]]:
        """Label the articles; see `Labeler.label`."""
        for article in articles:
            given = {self.labels[each].label for each in (article.id, *article.copies) if each in self.labels}
            if not given and article.content_hash in self.labels:
                given = {self.labels[article.content_hash].label}
            if len(given) == 1:
                yield article, Opinion(given.pop())
            else:
                problem = "labels of near duplicates conflict" if given else "not judged"
                yield article, Opinion(None, problem=problem)


def make_labelers(
    names: Sequence[str],
    labels: Path | None,
    registered: Mapping[str, SignedLabel],
    endpoint: LabelingEndpoint,
    read: ReadVerdicts,
) -> list[Labeler]:
    """Make the labelers that a person named.

    Args:
        names: Names out of `NAMES`; each counts once.
        labels: The file of people's labels, for `human`; None where it was not given.
        registered: What people said, by hash of the text (see `registered_labels`), for `human` as well.
        endpoint: What is asked, for `openai`.
        read: Reads what the application says, for `application`.

    Returns:
        The labelers, in the order of the names.

    Raises:
        UsageError: A name is unknown, or lacks a flag that it needs.
    """
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise UsageError(f"--labeler {unknown[0]}: there is {', '.join(NAMES)}")
    return [_make(name, labels, registered, endpoint, read) for name in dict.fromkeys(names)]


def _make(
    name: str,
    labels: Path | None,
    registered: Mapping[str, SignedLabel],
    endpoint: LabelingEndpoint,
    read: ReadVerdicts,
) -> Labeler:
    if name == "keywords":
        return KeywordLabeler()
    if name == "application":
        return ApplicationLabeler(read)
    if name == "human":
        if labels is None and not registered:
            raise UsageError(
                "--labeler human needs --labels, a review file or CSV of id, os_label and annotator, or labels of "
                "operating systems in the store (ctiforge labels)"
            )
        return HumanLabeler({**registered, **(read_human_labels(labels) if labels else {})})
    if endpoint.model is None:
        raise UsageError("--labeler openai needs --labeler-model: the name that the endpoint knows it by")
    from ctiforge.osbert.labeling.openai_labeler import OpenAiLabeler

    return OpenAiLabeler(
        endpoint.url,
        endpoint.model,
        open_store(endpoint.answers),
        concurrency=endpoint.concurrency,
        timeout_s=endpoint.timeout_s,
        price_in=endpoint.price_in,
        price_out=endpoint.price_out,
    )
