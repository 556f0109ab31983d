"""What windows cost and what they lose, on the 30 real articles, and on them with a query of 1,100 tokens added.

A reader that is perfect on each window finds every item that stands whole in it, and of one that a border cuts off what
is shown of it: so what is missing in the end is lost by the windows alone. Tokens read are those of all windows that
were asked about, the second asking included, for each token of text.

- the longest item: the overlap is as long as that, as it once was;
- ours: the overlap is long enough for 95 % of the items, and what a border cuts off is asked about again.
"""

import os
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any

import typer

from ctiforge.data.testsets import read_labelled_articles
from ctiforge.extract.answering.extraction import Source
from ctiforge.extract.answering.windowed import PendingWindow, RawAnswer, WindowedExtractor
from ctiforge.extract.dataset.examples import LocatedArticle, locate_article
from ctiforge.extract.prompts.rendering import render_answer
from ctiforge.observables.values import normalize
from ctiforge.pod.entry import run_program
from ctiforge.records.article import ArticleRecord
from ctiforge.records.model_note import AgentUsage, WindowSizes
from ctiforge.records.observable import TYPES, Observable
from ctiforge.tables import print_table
from real_data import real_articles

QUERY_TOKENS = 1_100


def main(
    window: Annotated[list[int] | None, typer.Option(help="Tokens of a window (repeat the flag).")] = None,
) -> None:
    """Measure tokens read and items found."""
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    encoder = MistralTokenizer.v1().instruct_tokenizer.tokenizer
    count = partial(_counts, encoder)
    articles = [record for record in read_labelled_articles(real_articles()) if record.content.strip()]
    with_query = [_with_query(record, count) if number == 0 else record for number, record in enumerate(articles)]
    rows = []
    for tokens in window or [1_020, 2_000]:
        for name, records in (("30 real articles", articles), ("with the long query", with_query)):
            located = [locate_article(record, count) for record in records]
            lengths = sorted(length for article in located for length in article.target_tokens)
            longest = min(lengths[-1], tokens * 3 // 4)
            ours = lengths[-(-95 * len(lengths) // 100) - 1]
            for variant, overlap in (("the longest item", longest), ("ours", ours)):
                read, found, items = _measure(located, count, tokens, overlap)
                share = f"{found / items:.1%}"
                rows.append((name, tokens, variant, overlap, f"{read:.2f}", f"{found} of {items}", share))
    header = ("articles", "window", "overlap from", "overlap", "tokens read per token", "items found", "")
    print_table("", header, rows)
    print(time.strftime("measured %Y-%m-%d"), f"on {os.cpu_count()} cores")


class PerfectReader(WindowedExtractor):
    """Answers each window with what stands in it."""

    def __init__(self, articles: Sequence[LocatedArticle], usage: AgentUsage, count: Any) -> None:
        super().__init__(usage, "perfect", count, halves=False)
        self._articles = articles

    def generate(self, waiting: Sequence[PendingWindow]) -> Iterator[RawAnswer]:
        """Answer every window."""
        for pending in waiting:
            found = self._shown(self._articles[pending.article], pending)
            yield RawAnswer(pending, render_answer(found), 0, 0, False)

    def _shown(self, article: LocatedArticle, pending: PendingWindow) -> list[Observable]:
        found = []
        for target in article.targets:
            if target.first_in(pending.window) is not None:
                found.append(target.observable)
                continue
            for occurrence in target.occurrences:
                start, end = max(occurrence.start, pending.window.start), min(occurrence.end, pending.window.end)
                part = article.record.content[start:end].strip()
                if len(occurrence.spans) == 1 and part:
                    found.append(target.observable.model_copy(update={"value": part, "platform": None}))
        return found


def _measure(articles: Sequence[LocatedArticle], count: Any, window: int, overlap: int) -> tuple[float, int, int]:
    sizes = WindowSizes(max_length=4 * window, window_tokens=window, overlap_tokens=max(overlap, 1))
    reader = PerfectReader(articles, AgentUsage("messages", "full-v1", TYPES, sizes), count)
    read = found = items = 0
    sources = [Source(article.record.content) for article in articles]
    for article, extraction in zip(articles, reader.extract_many(sources), strict=True):
        keys = {(each.type, normalize(each.type, each.value)) for each in extraction.observables}
        wanted = {(t.observable.type, normalize(t.observable.type, t.observable.value)) for t in article.targets}
        found += len(wanted & keys)
        items += len(wanted)
        read += sum(article.pieces.tokens_between(each.start, each.end) for each in extraction.windows)
    total = sum(article.pieces.total_tokens for article in articles)
    return read / total, found, items


def _with_query(record: ArticleRecord, count: Any) -> ArticleRecord:
    """Put a query of 1,100 tokens into the middle of an article."""
    clauses = []
    while sum(count([" or ".join(clauses)])) < QUERY_TOKENS:
        clauses.append(f'ProcessCommandLine has "tool{len(clauses)}.exe --run {len(clauses) * 7919}"')
    query = "DeviceProcessEvents | where " + " or ".join(clauses)
    middle = record.content.find("\n", len(record.content) // 2)
    content = f"{record.content[:middle]}\n{query}\n{record.content[middle:]}"
    types = tuple(dict.fromkeys((*record.labelled_types, "hunt_queries")))
    item = Observable(type="hunt_queries", value=query)
    observables = (*record.observables, item)
    return record.model_copy(update={"content": content, "labelled_types": types, "observables": observables})


def _counts(encoder: Any, texts: Sequence[str]) -> list[int]:
    return [len(encoder.encode(text, bos=False, eos=False)) for text in texts]


if __name__ == "__main__":
    run_program(main)
