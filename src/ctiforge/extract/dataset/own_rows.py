"""How a model is asked that learnt from a team's own rows: found in them, since no preparation says it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ctiforge.extract.prompts import Prompt, find_prompt, prompt_versions
from ctiforge.extract.prompts.rendering import render_prompt
from ctiforge.records.model_note import (
    FORMATS,
    UNKNOWN_PROMPT,
    AgentUsage,
    ChatTemplate,
    Format,
    PromptText,
    WindowSizes,
)
from ctiforge.training.encoding import count_tokens

_TYPES, _TEXT = "MARKER-OF-TYPES", "MARKER-OF-TEXT"
# No row says what its text shares with its neighbor's: about as much as for a model that was not trained here.
_OVERLAP_SHARE = 0.2


@dataclass(frozen=True)
class _Shape:
    """What stands in every prompt of a kind: before the types, between types and text, and after the text."""

    prompt: Prompt
    before: str
    between: str
    after: str

    def read(self, rendered: str) -> tuple[list[str], str] | None:
        """Read types and text of a rendered prompt; None where it is of another kind."""
        if not rendered.startswith(self.before) or not rendered.endswith(self.after):
            return None
        inside = rendered[len(self.before) : len(rendered) - len(self.after)]
        asked, found, text = inside.partition(self.between)
        types = re.findall(r"^- (\w+):", asked, re.MULTILINE) if self.prompt.definitions else asked.split(", ")
        as_asked = replace(self.prompt, user_template="{types}{text}").user(types, "")
        return (types, text) if found and types and asked == as_asked else None


def usage_of_rows(
    prompts: Sequence[str],
    tokenizer: Any,
    *,
    max_length: int,
    template: ChatTemplate | None,
    own: tuple[str, PromptText] | None,
) -> AgentUsage:
    """Find the prompt that rows were written with: the team's own where one is named, else among this package's.

    Args:
        prompts: Rendered prompts of some rows.
        tokenizer: The model's tokenizer, with the template that they are rendered with.
        max_length: Tokens of prompt and answer together, at most.
        template: How the template is used.
        own: Version and text of the prompt that `--prompt` names; None: none is named.

    Returns:
        How the model is asked: windows are as long as the longest text; with `UNKNOWN_PROMPT` where not every row has
        one and the same of the prompts, and then nobody can ask it about an article.
    """
    candidates = [own] if own else [(version, None) for version in prompt_versions()]
    for version, text in candidates:
        for text_format in FORMATS:
            shapes = list(_shapes(text_format, find_prompt(version, text), tokenizer))
            read = [next(filter(None, (shape.read(prompt) for shape in shapes)), None) for prompt in prompts]
            found = [each for each in read if each]
            if found and len(found) == len(prompts):
                types = tuple(sorted({name for asked, _ in found for name in asked}))
                longest = max(count_tokens(tokenizer, [shown for _, shown in found]))
                sizes = WindowSizes(max_length, max(longest, 1), max(int(longest * _OVERLAP_SHARE), 1))
                return AgentUsage(text_format, version, types, sizes, template, text)
    plain: Format = "messages" if tokenizer.chat_template else "simple"
    return AgentUsage(plain, UNKNOWN_PROMPT, (), WindowSizes(max_length, max_length, 1), template)


def about_rows(usage: AgentUsage) -> str:
    """Say what is not known of a model that learnt from a team's own rows, as `usage_of_rows` found it."""
    if usage.prompt_version == UNKNOWN_PROMPT:
        return (
            "trained on rows of your own, whose prompt is not known here: ctiforge cannot ask this model about "
            "articles, so it neither evaluates, serves nor exports it (--prompt FILE tells the prompt)"
        )
    sizes = usage.sizes
    return (
        f"trained on rows of your own with the prompt {usage.prompt_version}: windows of {sizes.window_tokens} tokens, "
        f"the longest text found in them, and their overlap of {sizes.overlap_tokens} are a guess, and nobody looked "
        "for articles of test sets in them"
    )


def _shapes(text_format: Format, prompt: Prompt, tokenizer: Any) -> Iterator[_Shape]:
    """Render a prompt with markers, with the question for platforms and without."""
    if text_format == "messages" and not tokenizer.chat_template:
        return
    for platform in (True, False):
        marked = replace(prompt, definitions={})
        whole = render_prompt(text_format, marked, (_TYPES,), _TEXT, tokenizer, platform=platform)
        before, _, rest = whole.partition(_TYPES)
        between, _, after = rest.partition(_TEXT)
        if between:
            yield _Shape(prompt, before, between, after)
