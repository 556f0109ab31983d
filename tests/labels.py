"""Labels of people, for tests of what keeps and reads them."""

from ctiforge.data.identity import content_hash, fold
from ctiforge.records.article import ArticleRecord
from ctiforge.records.human_label import HumanLabel
from ctiforge.records.observable import Observable


def human_label(
    text: str, found: dict[str, list[str]] | None = None, by: str = "ann", id_: str = "1", **changes
) -> HumanLabel:
    """What `by` found, by type, in all of the text; `changes` are of the label, `url` and `os_label` of its article."""
    found = {} if found is None else found
    article = ArticleRecord(
        id=id_,
        url=changes.pop("url", None),
        content=text,
        content_hash=content_hash(fold(text)),
        observables=tuple(Observable(type=type_, value=value) for type_, values in found.items() for value in values),
        labelled_types=tuple(found),
        os_label=changes.pop("os_label", None),
        labelled_by="human",
        annotator=by,
    )
    return HumanLabel(article=article, **changes)


def commands(*values: str) -> tuple[Observable, ...]:
    """Command lines."""
    return tuple(Observable(type="cmdline", value=value) for value in values)
