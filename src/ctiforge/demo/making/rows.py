"""Rows to learn copying from: no sentence and no value in them is of the demo's articles.

A row's text is random tokens and sentences of Python's own manual, in which random spans are announced by a word of
the field that stands near them (“registry”, “service”); the answer is the announced spans, as the JSON that the Extract
Agent gives. Half of the spans share a part with another span of the row, so that copying must follow the place and not
the content alone; and many a word or span stands there without the other, and is no item.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ctiforge.demo.making.tokenizer import ASSISTANT, BEGIN, END, PAD, USER, manual
from ctiforge.records.observable import ARROW

CUES = {
    "cmdline": "command commands executed execute execution ran shell console launched",
    "registry": "registry key hive autorun subkey",
    "services": "service services daemon",
    "scheduled_tasks": "task tasks scheduled schedule job",
    "process_lineage": "spawned spawn spawning parent child process processes",
    "hunt_queries": "query queries hunt hunting search",
}
"""The words that announce each type's values: what a model of any size knows of the field."""
TYPES = tuple(CUES)
PROMPT = ("Return as JSON the observables in the text.\nTypes: ", "\nCopy each value.", " Add its platform.")
"""What the demo's prompt says before the types, behind them, and where platforms are asked for."""
_LINEAGE = TYPES.index("process_lineage")
# Shares of rows with 0, 1, 2 … announced spans.
_ITEMS = (0.30, 0.27, 0.18, 0.12, 0.08, 0.05)
_SENTENCE_CHARACTERS = (20, 220)
# Shares of a row's text that are sentences of the manual, not random tokens.
_PROSE = (0.0, 0.15, 0.6, 0.9)
# Tokens from which on a row has room for the whole prompt.
_LONG = 224
# How much more than another token of the answer these weigh: there the text must be searched.
_TYPE_WEIGHT, _FIRST_WEIGHT, _ANY_WEIGHT = 6.0, 4.0, 3.0


@dataclass(frozen=True)
class PretrainingRow:
    """Token ids, and the weight of each as a target (0: no loss)."""

    ids: list[int]
    weights: list[float]


class RowMaker:
    """Makes rows for one tokenizer, always the same for one seed."""

    def __init__(self, tokenizer: Any, seed: int) -> None:
        self.rng = random.Random(seed)
        self.tokenizer = tokenizer
        vocabulary: dict[str, int] = tokenizer.get_vocab()
        printable = {t: i for t, i in vocabulary.items() if i > 4 and all("!" <= c <= "~" for c in t)}
        words = sorted(i for t, i in printable.items() if t.isalnum() and not t.isdigit())
        self.cues = [
            [self._encode(form) for word in cues.split() for form in (word, word.title())] for cues in CUES.values()
        ]
        announcing = {cue[0] for cues in self.cues for cue in cues if len(cue) == 1}
        self.words = sorted(set(words) - announcing)
        self.any = sorted(set(printable.values()) - announcing)
        self.sentences = self._sentences()
        self.digits = sorted(i for t, i in printable.items() if t.isdigit())
        self.punctuation = sorted(i for t, i in printable.items() if len(t) == 1 and not t.isalnum())
        self.space, self.line = vocabulary["Ġ"], vocabulary["Ċ"]
        self.quote, self.backslash, self.stop = vocabulary['"'], vocabulary["\\"], vocabulary["."]
        self.begin, self.end, self.pad = vocabulary[BEGIN], vocabulary[END], vocabulary[PAD]
        self.user, self.assistant = vocabulary[USER], vocabulary[ASSISTANT]
        comma = vocabulary[","]
        self.borders = [
            ([self.line], [self.line]),
            ([self.space, self.quote], [self.quote]),
            ([self.space, vocabulary["`"]], [vocabulary["`"]]),
            ([self.space, vocabulary["'"]], [vocabulary["'"]]),
            ([self.space, vocabulary["("]], [vocabulary[")"]]),
            ([self.space], [self.stop, self.space]),
            ([vocabulary[":"], self.space], [comma, self.space]),
            ([self.line, self.line], [self.line, self.line]),
        ]
        encode = self._encode
        self.json_type = [encode(f'{{"type":"{name}","value":"') for name in TYPES]
        self.json_platform = {name: encode(f'","platform":"{name}"}}') for name in ("Windows", "Linux")}
        self.json_platform[""] = encode('"}')
        self.slash, self.by = vocabulary["/"], [encode(word) for word in ("by", "under", "below", "beneath")]
        self.json_head, self.json_tail, self.json_comma = encode('{"observables":['), encode("]}"), encode(",")
        self.type_mark, self.value_mark, self.arrow = encode('"type":"'), encode('"value":"'), encode(ARROW)
        self.names, self.name_comma = [encode(name) for name in TYPES], encode(", ")
        self.short_prompt = encode("Types: "), [self.line]
        self.long_prompts = {
            platforms: (encode(PROMPT[0]), encode(f"{PROMPT[1]}{PROMPT[2] if platforms else ''}\n\n"))
            for platforms in (True, False)
        }
        self.prose = 0.0

    def repeats(self, length: int) -> PretrainingRow:
        """Make a row of segments, each repeated once or twice; only the repeats are targets."""
        ids, weights = [self.begin], [0.0]
        while len(ids) < length:
            segment = [*self._value(30), self.space] if self._chance(0.3) else self._some(self.any, self._int(6, 30))
            times = self._int(2, 4)
            ids += segment * times
            weights += [0.0] * len(segment) + [1.0] * (len(segment) * (times - 1))
        return PretrainingRow(ids[:length], weights[:length])

    def extraction(self, length: int, longest_value: int) -> PretrainingRow:
        """Make a row of at most `length` tokens: prompt, text, answer."""
        text_length = int((length - 34) * self.rng.uniform(0.35, 0.75))
        while True:
            prompt, answer = self._extraction(text_length, length, longest_value)
            if len(prompt) + len(answer) <= length:
                return PretrainingRow(prompt + answer, [0.0] * len(prompt) + self._weights(answer))
            text_length = max(8, text_length - 6)

    def _extraction(self, text_length: int, length: int, longest_value: int) -> tuple[list[int], list[int]]:
        self.prose = self.rng.choice(_PROSE)
        is_long = length >= _LONG and self._chance(0.8)
        platforms = not is_long or self._chance(0.8)
        everything = list(range(len(TYPES)))
        asked = sorted(self.rng.sample(everything, self._int(1, 6))) if self._chance(0.25) else everything
        segments = self._segments(text_length, longest_value, asked, platforms=platforms)
        self.rng.shuffle(segments)
        spare = max(0, text_length - sum(len(segment) for segment, _ in segments))
        shares = [self.rng.expovariate(1) for _ in range(len(segments) + 1)]
        gaps = [int(spare * share / sum(shares)) for share in shares]
        text: list[int] = []
        answers = []
        for (segment, answer), gap in zip(segments, gaps, strict=False):
            text += self._filler(gap) + segment
            if answer:
                answers.append(answer)
        text += self._filler(gaps[-1])
        head, tail = self.long_prompts[platforms] if is_long else self.short_prompt
        names = self._joined([self.names[each] for each in asked], self.name_comma)
        prompt = [self.begin, self.user, *head, *names, *tail, *text, self.end, self.assistant]
        return prompt, [*self.json_head, *self._joined(answers, self.json_comma), *self.json_tail, self.end]

    def _segments(
        self, text_length: int, longest: int, asked: Sequence[int], *, platforms: bool
    ) -> list[tuple[list[int], list[int]]]:
        """Make announced spans with their JSON, and spans and words that announce nothing (no JSON)."""
        pool: list[list[int]] = []
        count = min(self.rng.choices(range(len(_ITEMS)), weights=_ITEMS)[0], max(1, text_length // 24))
        segments = []
        for _ in range(count):
            kind = self._int(0, len(TYPES))
            value = self._related_value(pool, longest)
            if kind == _LINEAGE:
                segment, written = self._lineage(value, self._related_value(pool, longest))
            else:
                segment, written = self._announced(kind, value), self._escaped(value)
            platform = ("Linux" if self.slash in written else "Windows") if platforms else ""
            answer = self.json_type[kind] + written + self.json_platform[platform]
            segments.append((segment, answer if kind in asked else []))
        for _ in range(self._int(0, 4)):
            segments.append((self._near_miss(pool, longest), []))
        return segments

    def _announced(self, kind: int, value: list[int]) -> list[int]:
        """Make a span with a word of its type before or behind it."""
        cue = self.rng.choice(self.cues[kind])
        if self._chance(0.25):
            return [
                *self._filler(self._int(0, 5)),
                *self._bordered(value),
                self.space,
                *self._spaced(self._int(0, 3)),
                *cue,
            ]
        return [*self._spaced(self._int(0, 4)), *cue, *self._spaced_behind(self._int(0, 4)), *self._bordered(value)]

    def _lineage(self, parent: list[int], child: list[int]) -> tuple[list[int], list[int]]:
        """Make two spans with a word about processes, mostly between them; “by” tells that the parent comes last."""
        cue = self.rng.choice(self.cues[_LINEAGE])
        written = self._escaped(parent) + self.arrow + self._escaped(child)
        if self._chance(0.2):
            between = [*self._spaced_behind(self._int(0, 2)), self.space, *cue, self.space, *self.rng.choice(self.by)]
            return [*self._bordered(child), *between, *self._bordered(parent)], written
        if self._chance(0.3):
            lead = [*self._spaced(self._int(0, 3)), *cue, *self._spaced_behind(self._int(0, 3))]
            return [
                *lead,
                *self._bordered(parent),
                *self._spaced_behind(self._int(1, 4)),
                *self._bordered(child),
            ], written
        between = [*self._spaced_behind(self._int(0, 3)), self.space, *cue, *self._spaced_behind(self._int(0, 3))]
        return [*self._bordered(parent), *between, *self._bordered(child)], written

    def _near_miss(self, pool: list[list[int]], longest: int) -> list[int]:
        """Make a span that no word announces, or a word that announces no span."""
        if self._chance(0.4):
            cue = self.rng.choice(self.rng.choice(self.cues))
            return [
                *self._sentence(),
                self.space,
                *self._spaced(self._int(0, 3)),
                *cue,
                *self._spaced_behind(3),
                self.stop,
            ]
        return [*self._filler(4), *self._bordered(self._related_value(pool, longest)), self.space, *self._sentence()]

    def _weights(self, answer: Sequence[int]) -> list[float]:
        weights = [1.0] * len(answer)
        weights[len(self.json_head)] = _ANY_WEIGHT
        for place in range(len(self.value_mark), len(answer)):
            if answer[place - len(self.type_mark) : place] == self.type_mark:
                weights[place] = _TYPE_WEIGHT
            elif answer[place - len(self.value_mark) : place] == self.value_mark:
                weights[place] = _FIRST_WEIGHT
        return weights

    def _spaced(self, words: int) -> list[int]:
        return [token for word in self._words(words) for token in [*word, self.space]]

    def _spaced_behind(self, words: int) -> list[int]:
        return [token for word in self._words(words) for token in [self.space, *word]]

    def _words(self, count: int) -> list[list[int]]:
        if not self._chance(self.prose):
            return [self._word() for _ in range(count)]
        words = _split(self._sentence(), self.space)
        start = self._int(0, max(1, len(words) - count))
        return words[start : start + count]

    def _bordered(self, value: list[int]) -> list[int]:
        opening, closing = self.rng.choice(self.borders)
        return opening + value + closing

    def _related_value(self, pool: list[list[int]], longest: int) -> list[int]:
        """Make a new value, half of the time with the beginning or the end of an earlier one."""
        value = self._value(longest)
        if pool and self._chance(0.5):
            other = self.rng.choice(pool)
            if self._chance(0.6):
                value = other[: self._int(1, len(other) + 1)] + value
            else:
                value = value[: len(value) // 2] + other[self._int(0, len(other)) :]
            value = self._stripped(value[:longest])
        pool.append(value)
        return value

    def _value(self, longest: int) -> list[int]:
        length = min(longest, 3 + int(self.rng.expovariate(1 / 9)))
        if self._chance(0.2):
            return self._some(self._some(self.any, self._int(4, 16)), length)
        separators = self._some(self.punctuation, 3)
        if self._chance(0.4):
            separators[0] = self.backslash
        value: list[int] = []
        while len(value) < length:
            value += self._word() if self._chance(0.8) else self._some(self.any, self._int(1, 4))
            value += self.rng.choices([self.space, *separators, self.quote], weights=(35, 35, 15, 10, 5))
        return self._stripped(value[:length])

    def _filler(self, length: int) -> list[int]:
        text: list[int] = []
        while len(text) < length:
            if self._chance(self.prose):
                text += [*self._sentence()[: length - len(text)], self.space]
                continue
            text += self._word()
            draw = self.rng.random()
            if draw < 0.72:
                text.append(self.space)
            elif draw < 0.80:
                text += [self.rng.choice(self.punctuation), self.space]
            elif draw < 0.85:
                text.append(self.line)
            elif draw < 0.90:
                text += [*self._some(self.digits, self._int(1, 5)), self.space]
            else:
                text.append(self.rng.choice(self.punctuation))
        return text

    def _escaped(self, value: Sequence[int]) -> list[int]:
        return [
            out
            for token in value
            for out in ([self.backslash] if token in (self.quote, self.backslash) else []) + [token]
        ]

    def _stripped(self, value: list[int]) -> list[int]:
        while value and value[-1] == self.space:
            value = value[:-1]
        while value and value[0] == self.space:
            value = value[1:]
        return value or [self.rng.choice(self.words)]

    def _sentence(self) -> list[int]:
        return self.rng.choice(self.sentences)

    def _sentences(self) -> list[list[int]]:
        """Read the manual's sentences in which no word announces anything."""
        least, most = _SENTENCE_CHARACTERS
        announcing = {word for cues in CUES.values() for word in cues.split()}
        kept = [
            sentence
            for sentence in manual()
            if least <= len(sentence) <= most and not announcing & set(sentence.lower().replace(",", " ").split())
        ]
        return [self._encode(sentence) for sentence in kept]

    def _word(self) -> list[int]:
        return self._some(self.words, self.rng.choices((1, 2, 3), weights=(45, 40, 15))[0])

    def _joined(self, parts: Sequence[list[int]], comma: list[int]) -> list[int]:
        return [token for index, part in enumerate(parts) for token in (comma if index else []) + part]

    def _some(self, tokens: Sequence[int], count: int) -> list[int]:
        return self.rng.choices(tokens, k=count)

    def _int(self, least: int, below: int) -> int:
        return self.rng.randrange(least, below)

    def _chance(self, share: float) -> bool:
        return self.rng.random() < share

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def _split(tokens: Sequence[int], at: int) -> list[list[int]]:
    words: list[list[int]] = [[]]
    for token in tokens:
        if token == at:
            words.append([])
        else:
            words[-1].append(token)
    return [word for word in words if word]
