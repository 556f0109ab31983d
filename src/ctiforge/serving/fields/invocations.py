r"""Reads a command that names an item, from its program on, word by word as a shell does.

A value is whole or empty: where an article has left out the quotes around one with spaces, it cannot be told how far
it goes, and nothing behind it is read. The command ends at its line's end, at `|`, `&`, `;`, `>`, at a mark of the
prose that stands around it, and where words of prose begin.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ctiforge.observables.locate import Span
from ctiforge.serving.fields.wording import is_advice, the_one
from ctiforge.serving.placing import PlacedItem


@dataclass(frozen=True)
class CommandTool:
    """A program whose commands are read."""

    start: re.Pattern[str]
    """The program, with what it is told to do in the group `verb` where that is a word right behind it."""
    option: re.Pattern[str]
    """An option that it knows, with its `name`."""
    switches: frozenset[str]
    """The options that take no value, in small letters."""
    names: frozenset[str]
    """The options whose value names the item, in small letters; the empty one is a word before all options."""


@dataclass(frozen=True)
class Word:
    """A word of a command."""

    start: int
    """Its first character, a quote included."""
    end: int
    """One past its last character, a quote included."""
    value: str
    """What it says, without quotes; empty where it cannot be told how far it goes."""
    closed: bool
    """Whether its end is plain: it is quoted, a switch or the item itself."""
    last: bool
    """Whether a mark of the prose behind it ends the command."""


@dataclass(frozen=True)
class Invocation:
    """A command that an article writes."""

    text: str
    """The command as far as it was read."""
    verb: str
    """What its program is told to do, in small letters; empty where the program has options for that."""
    whole: bool
    """Whether it was read to its end."""
    words: dict[str, Word] = field(default_factory=dict)
    """Option in small letters → its value; under the empty one the word before all options."""

    def value(self, *options: str) -> str | None:
        """Give the value of the first of the options that it has."""
        return next((self.words[name].value or None for name in options if name in self.words), None)


def command_naming(
    item: PlacedItem, tools: Sequence[CommandTool], done: Callable[[Invocation], str | None]
) -> Invocation | None:
    """Read what the commands that name an item say together.

    Args:
        item: The item.
        tools: The programs whose commands are read.
        done: Tells what a command does to the item.

    Returns:
        The first command that does it, without what others say otherwise; one that says nothing where they do
        different things to the item, or where somebody is told to run it; None where none of its paragraph names it.
    """
    commands = list(_commands_naming(item, tools))
    if not commands:
        return None
    kinds = [done(each) for each in commands]
    kind = the_one(kinds)
    if len(set(kinds)) > 1 and kind is None:
        return Invocation(commands[0].text, "", whole=False)
    first = commands[kinds.index(kind)] if kind else commands[0]
    others = [each for each in commands if each is not first]
    said = [(name, word.value) for each in others for name, word in each.words.items()]
    differs = {name for name, value in said if name in first.words and first.words[name].value != value}
    # another that makes it makes it otherwise
    is_whole = first.whole and all(each.text == first.text for each in others if done(each) == kind)
    words = {name: replace(word, value="") if name in differs else word for name, word in first.words.items()}
    return replace(first, words=words, whole=is_whole)


def _commands_naming(item: PlacedItem, tools: Sequence[CommandTool]) -> Iterator[Invocation]:
    text = item.paragraph or ""
    starts = sorted(
        ((start.end(), index, start) for index, tool in enumerate(tools) for start in tool.start.finditer(text)),
        key=lambda each: each[:2],
    )
    read = set()
    for each in item.mentions if starts else ():
        nearest = bisect_right(starts, min(part.start for part in each.parts), key=lambda found: found[0]) - 1
        if nearest < 0 or nearest in read:
            continue
        _, index, start = starts[nearest]
        command = _read(text, start, tools[index], each.parts)
        named = [command.words[name] for name in tools[index].names if name in command.words]
        if all(any(_is_end_of(word, part, text) for word in named) for part in each.parts):
            read.add(nearest)
            yield Invocation(command.text, "", whole=False) if is_advice(each.sentence[0]) else command


_QUOTES = "\"'“”„‘’"
_GAP = re.compile(r"(?:[^\S\n]++(?:[`^][^\S\n]*+\n[^\S\n]*+)?)*+")
_DOUBLE = re.compile(r"[\"“”„](?P<value>(?:\\[\"“”]|[^\"“”„\n]){0,1000}+)[\"“”]")
_SINGLE = re.compile(r"['‘’](?P<value>[^'‘’\n]{0,1000}+)['’]")
_BRACKETED = re.compile(r"\((?P<value>(?:[^()\n]|\([^()\n]{0,500}+\)){0,1000}+)\)")
_BARE = re.compile(r"(?:<[^\s<>]{1,100}>|[^\s\"“”„|&;`<>])+")
_QUOTE = re.compile(rf"\\?[{_QUOTES}]|")
# what prose puts behind a word, a closing mark that nothing opened
_MARKS = re.compile(rf"[.,:;!?)\]}}`{_QUOTES}]*+(?=[\s|]|&(?!#?\w+;)|$)")
_STOP = re.compile(r"$|\r?\n|[|;`]|&(?!#?\w+;)|\d?>|<\s")
_PROSE = re.compile(
    r"(?:and|or|but|to|which|that|with|in|for|from|as|on|by|via|then|was|is|were|are|where|when|while|after|before"
    r"|command|commands)\b(?![\\/.:=-])"
)
_FURTHER_OPTION = re.compile(r"[/–-]\w|\w+=")
_PAIRS = {")": "(", "]": "[", "}": "{"}


def _is_end_of(word: Word, part: Span, text: str) -> bool:
    r"""Tell whether a word is an item, or ends with it as the path `\Folder\Task` does with the task."""
    if not (word.value and word.start <= part.start and part.end <= word.end):
        return False
    before = text[word.start : part.start].rstrip(_QUOTES)
    return (not before or before.endswith("\\")) and not text[part.end : word.end].strip(_QUOTES + "\\")


def _read(text: str, start: re.Match[str], tool: CommandTool, known: tuple[Span, ...]) -> Invocation:
    words: dict[str, Word] = {}
    name, at, whole = "", start.end(), True
    end = at
    while True:
        at = _space(text, at)
        if words and words[name].last:
            break
        option = tool.option.match(text, at)
        if not option and (_STOP.match(text, at) or words or "" not in tool.names):
            break
        name = option["name"].lower() if option else ""
        if option and name in tool.switches:
            word: Word | None = _ended(text, at, option.end(), "", is_closed=True)
        else:
            at = _space(text, option.end()) if option else at
            is_missing = tool.option.match(text, at) or _STOP.match(text, at)
            word = Word(at, at, "", closed=True, last=False) if is_missing else _word(text, at, known)
        words[name] = word or Word(at, at, "", closed=True, last=True)
        if word is None:
            whole = False
            break
        end = at = max(end, word.end)
    if not words:
        whole = False
    elif whole and words[name].last:
        # a comma between options ends nothing, but what is behind it was not read
        whole = not tool.option.match(text, _space(text, _behind_marks(text, at)))
    elif whole and not _STOP.match(text, at):
        # words that are no options: of the prose, or of a value that lacks its quotes
        is_prose = bool(_PROSE.match(text, at))
        whole = is_prose or (words[name].closed and not _FURTHER_OPTION.match(text, at))
        if not is_prose and not words[name].closed:
            words[name] = replace(words[name], value="")
    return Invocation(text[start.start() : end], (start.groupdict().get("verb") or "").lower(), whole, words)


def _space(text: str, at: int) -> int:
    """Pass over white space; a line goes on behind a `^` or a backtick that stands alone."""
    gap = _GAP.match(text, at)
    return gap.end() if gap else at


def _behind_marks(text: str, at: int) -> int:
    marks = _MARKS.match(text, at)
    return marks.end() if marks else at


def _word(text: str, at: int, known: tuple[Span, ...]) -> Word | None:
    """Read a word; None where it cannot be told where it ends."""
    opened = _QUOTE.match(text, at)
    for part in known:
        if not opened or part.start not in (at, opened.end()):
            continue
        closing = _QUOTE.match(text, part.end) if part.start > at else None
        end = closing.end() if closing else part.end
        is_open = part.start > at and end == part.end
        word = None if is_open else _ended(text, at, end, text[part.start : part.end], is_closed=True)
        if word:
            return word
    for quoted in (_DOUBLE, _SINGLE, _BRACKETED):
        if match := quoted.match(text, at):
            value = re.sub(r"\\([\"“”])", r"\1", match["value"])
            # a backslash before the last quote ends no text
            return None if value.endswith("\\") else _ended(text, at, match.end(), value, is_closed=True)
    bare = _BARE.match(text, at)
    return _bare(text, at, bare[0]) if bare else None


def _bare(text: str, at: int, written: str) -> Word | None:
    value = written
    while value and (value[-1] in ".,:!?'’‘" or (value[-1] in _PAIRS and _is_unopened(value))):
        value = value[:-1]
    is_cut = written.endswith(("...", "…")) or value.startswith(("'", "‘", "\\'"))
    is_escaped = value.endswith(("^", "\\")) and text[at + len(written) : at + len(written) + 1].strip()
    if not value or is_cut or is_escaped:
        return None
    word = _ended(text, at, at + len(written), value, is_closed=False)
    return word and replace(word, end=at + len(value), last=word.last or value != written)


def _is_unopened(value: str) -> bool:
    return value.count(_PAIRS[value[-1]]) < value.count(value[-1])


def _ended(text: str, start: int, end: int, value: str, is_closed: bool) -> Word | None:
    """Make a word of what ends here; None where more is joined to it."""
    marks = _MARKS.match(text, end)
    if not marks and not _STOP.match(text, end):
        return None
    return Word(start, end, value, is_closed, last=bool(marks and marks[0]))
