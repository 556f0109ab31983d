import hashlib

import pytest

from ctiforge.records.article import ArticleRecord
from ctiforge.records.observable import Observable
from ctiforge.training.encoding import load_tokenizer

KINDS = ("cmdline", "registry", "services", "scheduled_tasks", "process_lineage", "hunt_queries")


@pytest.fixture(scope="session")
def tokenizer():
    return load_tokenizer("demo")


@pytest.fixture
def article():
    """Makes a record: `article("text", cmdline=["whoami /all"])`."""

    def make(content, *, article_id="1", labelled_by="human", labelled_types=KINDS, group="", url=None, **values):
        observables = [Observable(type=kind, value=value) for kind, found in values.items() for value in found]
        return ArticleRecord(
            id=article_id,
            url=url or f"https://example.invalid/{article_id}",
            content=content,
            content_hash=hashlib.sha256(content.encode()).hexdigest(),
            observables=tuple(observables),
            labelled_types=tuple(labelled_types),
            labelled_by=labelled_by,
            group=group,
        )

    return make
