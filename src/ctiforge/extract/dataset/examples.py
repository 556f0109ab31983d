"""Turns one article's labels into training examples: labels located, windows cut, answers written."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ctiforge.data.seen import covers
from ctiforge.extract.prompts.rendering import render_answer
from ctiforge.observables.locate import Locator, Occurrence, Span
from ctiforge.records.article import ArticleRecord
from ctiforge.records.model_note import WindowSizes
from ctiforge.records.observable import Observable
from ctiforge.training.windows import CountTokens, Pieces, Window, cut_windows, split_pieces, window_around

RenderPrompt = Callable[[Sequence[str], str, bool], str]
"""(requested types, window's text, whether platforms are asked for) to the text that stands before the answer."""


class ExampleLengths(NamedTuple):
    """Tokens of one encoded example; `loss` are those that carry loss."""

    prompt: int
    answer: int
    loss: int


CountExample = Callable[[str, str], ExampleLengths]
"""(prompt, answer) as text to their lengths in the target model's tokens."""

# Below this share of its pieces a label has no stretch of the article that is like it.
_LIKE_IT = 0.1
# A window is not halved below this many tokens; what does not fit then is an item too long for --max-length.
_SMALLEST_WINDOW = 8


@dataclass(frozen=True)
class LocatedItem:
    """One labeled item and where it stands; `observable.value` is spelt as the article does."""

    observable: Observable
    occurrences: tuple[Occurrence, ...]

    def first_in(self, window: Window) -> int | None:
        """Find where the first whole occurrence in `window` begins; None where there is none."""
        starts = [
            occurrence.start
            for occurrence in self.occurrences
            if all(window.start <= span.start and span.end <= window.end for span in occurrence.spans)
        ]
        return min(starts, default=None)


@dataclass(frozen=True)
class UnplacedItem:
    """A label that stands nowhere, and the stretch that is most like it: nobody knows what is right there."""

    observable: Observable
    nearest: Span | None
    """None where not even a tenth of it stands anywhere."""


@dataclass(frozen=True)
class LocatedArticle:
    """An article with its labels located; `dropped` are machine labels that stand nowhere in it."""

    record: ArticleRecord
    pieces: Pieces
    targets: tuple[LocatedItem, ...]
    dropped: tuple[UnplacedItem, ...]
    unlocated_human: tuple[UnplacedItem, ...]

    @property
    def target_tokens(self) -> list[int]:
        """Count for each item the tokens from the first to the last character of its shortest occurrence."""
        return [min(_extents(self.pieces, target)) for target in self.targets]

    def targets_longer_than(self, tokens: int) -> int:
        """Count the items that have no occurrence within `tokens`."""
        return sum(min(_extents(self.pieces, target)) > tokens for target in self.targets)


@dataclass(frozen=True)
class Example:
    """One window as prompt and answer. Token counts include the special tokens of training."""

    article_id: str
    start: int
    end: int
    types: tuple[str, ...]
    asks_platform: bool
    window: str
    prompt: str
    answer: str
    observables: tuple[Observable, ...]
    prompt_tokens: int
    answer_tokens: int
    loss_tokens: int

    @property
    def tokens(self) -> int:
        """Count the tokens of prompt and answer together."""
        return self.prompt_tokens + self.answer_tokens


@dataclass
class ArticleExamples:
    """The examples of one article and the items that fit into no window."""

    examples: list[Example] = field(default_factory=list)
    too_long: list[Observable] = field(default_factory=list)


def locate_article(record: ArticleRecord, count_tokens: CountTokens) -> LocatedArticle:
    """Locate every label of `record`; one that cannot be located silences its type where it is most likely meant.

    A human label of this kind is still taught, in one window; a machine's is dropped.
    """
    locator = Locator(record.content)
    targets: dict[tuple[str, str], LocatedItem] = {}
    missing: list[UnplacedItem] = []
    for item in record.observables:
        if item.type not in record.labelled_types:
            continue
        occurrences = tuple(locator.locate(item.type, item.value))
        if not occurrences:
            like_it = locator.share_standing(item.type, item.value) >= _LIKE_IT
            missing.append(UnplacedItem(item, locator.nearest_span(item.type, item.value) if like_it else None))
            continue
        written = locator.as_written(item.type, occurrences[0])
        targets.setdefault((item.type, written), LocatedItem(item.model_copy(update={"value": written}), occurrences))
    return LocatedArticle(
        record,
        split_pieces(record.content, count_tokens),
        tuple(targets.values()),
        dropped=tuple(each for each in missing if not _by_person(record, each.observable.type)),
        unlocated_human=tuple(each for each in missing if _by_person(record, each.observable.type)),
    )


def article_examples(
    article: LocatedArticle,
    sizes: WindowSizes,
    render_prompt: RenderPrompt,
    count_example: CountExample,
    repeat_items: int,
) -> ArticleExamples:
    """Make every window of an article an example, each within `sizes.max_length`, no item lost.

    A window whose answer is too long is halved;
    an item that even a window of its own cannot hold is listed in `too_long`, and no window that
    touches it asks for its type. A type is not asked for where all its items were taught `repeat_items` times before.
    """
    builder = _Builder(article, sizes, render_prompt, count_example)
    spans = [(s.start, s.end) for t in article.targets for o in t.occurrences for s in o.spans]
    windows = cut_windows(
        article.pieces, window_tokens=sizes.window_tokens, overlap_tokens=sizes.overlap_tokens, keep_whole=spans
    )
    windows = _seen_windows(article, windows)
    for window in windows:
        builder.add(window)
    for target in article.targets:
        if target not in builder.covered:
            builder.add_alone(target)
    for item in article.unlocated_human:
        builder.add_by_guess(item, windows)
    return builder.result(repeat_items)


class _Builder:
    """Collects the examples of one article."""

    def __init__(
        self,
        article: LocatedArticle,
        sizes: WindowSizes,
        render_prompt: RenderPrompt,
        count_example: CountExample,
    ) -> None:
        self.article = article
        self.sizes = sizes
        self.render_prompt = render_prompt
        self.count_example = count_example
        self.covered: set[LocatedItem] = set()
        self.too_long: list[LocatedItem] = []
        self.examples: dict[Window, Example] = {}

    def add(self, window: Window) -> None:
        example, inside = self._example(window)
        if not example.types:
            return
        if example.tokens <= self.sizes.max_length:
            self.examples[window] = example
            self.covered.update(inside)
            return
        tokens = self.article.pieces.tokens_between(window.start, window.end)
        if tokens <= _SMALLEST_WINDOW:
            return
        for half in self._halves(window, tokens):
            self.add(half)

    def add_alone(self, target: LocatedItem) -> None:
        """Add a window around the item's shortest occurrence, as large as leaves room for the answer."""
        occurrence = min(target.occurrences, key=lambda found: found.end - found.start)
        start, end = occurrence.start, occurrence.end
        least = self.article.pieces.tokens_between(start, end)
        budget = max(self.sizes.window_tokens, least)
        while True:
            window = window_around(self.article.pieces, start, end, budget)
            example, inside = self._example(window)
            if example.tokens <= self.sizes.max_length and target in inside:
                self.examples[window] = example
                self.covered.update(inside)
                return
            if budget <= least:
                self.too_long.append(target)
                return
            budget = max(least, budget // 2)

    def add_by_guess(self, item: UnplacedItem, windows: Sequence[Window]) -> None:
        """Put a human label that stands nowhere into the first window that holds the stretch most like it.

        The type is asked for in no other window that shows it.
        """
        if item.nearest is None:
            return
        start, end = item.nearest.start, item.nearest.end
        best = next((each for each in windows if each.start <= start and end <= each.end), None)
        if best is None:
            return
        type_ = item.observable.type
        known = self.examples.get(best)
        asked = known.types if known else ()
        types = [each for each in self.article.record.labelled_types if each in asked or each == type_]
        beside = () if type_ in asked else self._items(best, (type_,))
        others = (*(known.observables if known else ()), *(target.observable for _, target in beside))
        changed = self._build(best, types, [*others, item.observable])
        if changed.tokens <= self.sizes.max_length:
            self.examples[best] = changed

    def result(self, repeat_items: int) -> ArticleExamples:
        """Collect the examples in order.

        Not asked for are types of items too long where such an item is cut, and types of which a window teaches nothing
        that was not taught often enough; a window that would teach nothing else is left out.
        """
        examples = []
        taught: Counter[tuple[str, str]] = Counter()
        for window, example in sorted(self.examples.items()):
            cut = {target.observable.type for target in self.too_long if _touches(target, window)}
            fresh = {item.type for item in example.observables if taught[item.type, item.value] < repeat_items}
            worn = {item.type for item in example.observables} - fresh
            types = tuple(name for name in example.types if name not in cut | worn)
            if not types or (worn and not fresh - cut):
                continue
            kept = [item for item in example.observables if item.type in types]
            taught.update((item.type, item.value) for item in kept)
            examples.append(example if types == example.types else self._build(window, types, kept))
        return ArticleExamples(examples, [target.observable for target in self.too_long])

    def _example(self, window: Window) -> tuple[Example, list[LocatedItem]]:
        types = self._known_types(window)
        targets = [target for _, target in self._items(window, types)]
        return self._build(window, types, [target.observable for target in targets]), targets

    def _items(self, window: Window, types: Sequence[str]) -> list[tuple[int, LocatedItem]]:
        """List what stands in a window of some types, in order, with its first character."""
        asked = [target for target in self.article.targets if target.observable.type in types]
        placed = [(target.first_in(window), target) for target in asked]
        return sorted(((at, target) for at, target in placed if at is not None), key=lambda pair: pair[0])

    def _known_types(self, window: Window) -> tuple[str, ...]:
        """List the labeled types of which all is known in a window.

        Their labeler saw all of it, and no label that could not be placed was probably meant for it.
        """
        record = self.article.record
        unplaced = (*self.article.dropped, *self.article.unlocated_human)
        silenced = {
            each.observable.type
            for each in unplaced
            if each.nearest and each.nearest.start < window.end and window.start < each.nearest.end
        }
        return tuple(
            type_
            for type_ in record.labelled_types
            if type_ not in silenced
            and (type_ not in record.type_labels or covers(record.type_labels[type_].seen, window.start, window.end))
        )

    def _build(self, window: Window, types: Sequence[str], observables: Sequence[Observable]) -> Example:
        text = self.article.record.content[window.start : window.end]
        asks_platform = self._knows_platforms(observables)
        if not asks_platform:
            observables = [item.model_copy(update={"platform": None}) for item in observables]
        prompt = self.render_prompt(types, text, asks_platform)
        answer = render_answer(observables)
        lengths = self.count_example(prompt, answer)
        return Example(
            self.article.record.id,
            window.start,
            window.end,
            tuple(types),
            asks_platform,
            text,
            prompt,
            answer,
            tuple(observables),
            lengths.prompt,
            lengths.answer,
            lengths.loss,
        )

    def _knows_platforms(self, observables: Sequence[Observable]) -> bool:
        """Tell whether to ask for platforms: only where they are labeled, on every item or somewhere in the article."""
        if observables:
            return all(item.platform for item in observables)
        everywhere = self.article.record.observables
        return not everywhere or any(item.platform for item in everywhere)

    def _halves(self, window: Window, tokens: int) -> list[Window]:
        spans = [(s.start, s.end) for t in self.article.targets for o in t.occurrences for s in o.spans]
        inner = [span for span in spans if window.start <= span[0] and span[1] <= window.end]
        pieces = self.article.pieces
        first = pieces.starts.index(window.start)
        last = pieces.starts.index(window.end)
        part = Pieces(pieces.starts[first : last + 1], pieces.tokens_before[first : last + 1], ())
        halves = cut_windows(part, window_tokens=max(tokens // 2, 1), overlap_tokens=0, keep_whole=inner)
        return [half for half in halves if half != window]


def _by_person(record: ArticleRecord, type_: str) -> bool:
    label = record.type_labels.get(type_)
    return label.by == "person" if label else record.labelled_by == "human"


def _seen_windows(article: LocatedArticle, windows: Sequence[Window]) -> list[Window]:
    """Cut windows to what labelers saw, where some saw a part: in the rest they would label nothing."""
    stretches = {stretch for label in article.record.type_labels.values() for stretch in label.seen or ()}
    if not stretches or any(article.record.type_labels[each].seen is None for each in article.record.type_labels):
        return list(windows)
    starts = article.pieces.starts
    cut: set[Window] = set()
    for window in windows:
        for first, last in stretches:
            start = starts[min(bisect_left(starts, max(window.start, first)), len(starts) - 1)]
            end = starts[bisect_right(starts, min(window.end, last)) - 1]
            if start < end:
                cut.add(Window(start, end))
    return sorted(cut)


def _extents(pieces: Pieces, target: LocatedItem) -> list[int]:
    return [pieces.tokens_between(occurrence.start, occurrence.end) for occurrence in target.occurrences]


def _touches(target: LocatedItem, window: Window) -> bool:
    return any(
        span.start < window.end and window.start < span.end
        for occurrence in target.occurrences
        for span in occurrence.spans
    )
