"""Whether llama.cpp reads text as the tokenizer of training does: a wrong reading is silent and ruins every answer."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ctiforge.errors import DataError
from ctiforge.release.gguf import ChatForm, Contents
from ctiforge.release.server import LlamaServer

_COMMANDS = (
    *("a b", " a", "a ", "3 33 333 3333", "1,234.56", "\t", "\n", "\r\n", "I'll don't WE'VE", "“smart” ‘quotes’ – — …"),
    'C:\\Windows\\System32\\cmd.exe /c "whoami /all" & echo %PATH%',
    *("HKLM\\SOFTWARE\\Microsoft\\Run", "hxxps://evil[.]example/a?b=c#d", "powershell -enc SQBFAFgA==", "/etc/passwd"),
    *('{"observables":[{"type":"cmdline","value":"net \\"x\\" /add","platform":"Windows"}]}', '{"observables":[]}'),
)
# No article is made of these: where one is read otherwise, it is told and stops nothing.
_ODD = (
    *("", " ", "  ", "   ", "\n\n\n", " \t \n ", "'tis ''' \"\"\" `x`"),
    *("naïve café Ångström", "Съешь ещё этих булок", "东京都の会社 한국어", "العربية עברית", "កាន់តែពិសេស"),
    *("🚀 👩‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ✅", "a\u00a0b\u2003c\u200bd\ufeff", "\u202eabc\u202c"),
    *("\x00", "\x01\x02\x1b[31m\x7f", "\ufffd", "e\u0301 n\u0303", "ﬁ ① ㎏", "\\n \\t \\u0041 {{x}} {% y %}"),
    *("</s><s>[INST]<|im_end|><|eot_id|><pad><unk>", "a" * 300, "=" * 80, ".,;:!?()[]{}<>@#$^&*_+-=/|~"),
)
# Text stands inside a prompt; how the very first character is taken, SentencePiece's own way, the prompts show.
_BEFORE = "Text:\n"
_EXAMPLES = 3

RenderedPrompt = tuple[list[dict[str, str]], list[int]]
"""A conversation, and the ids of the prompt that training makes of it."""


@dataclass(frozen=True)
class Checked:
    """How many texts were read, and prompts rendered, as in training: every one but the odd ones that are warned of."""

    texts: int
    prompts: int
    warnings: tuple[str, ...]


def check_reading(
    server: LlamaServer, tokenizer: Any, texts: Iterable[str], prompts: Sequence[RenderedPrompt]
) -> Checked:
    """Compare token ids of `texts`, of commands and odd strings of our own, and of each prompt.

    Raises DataError with the first text, command or prompt that differs; odd strings that do are counted and warned of.
    """
    composed = _composes(tokenizer)
    before = (tokenizer.bos_token or "") + _BEFORE

    def difference(text: str) -> str | None:
        read = before + text
        if composed:
            read = unicodedata.normalize("NFC", read)
        return _difference(tokenizer(read, add_special_tokens=False)["input_ids"], server.tokenize(read))

    alike = [*_COMMANDS, *texts]
    for text in alike:
        _refuse(repr(text[:80]), difference(text))
    for conversation, ids in prompts:
        rendered = server.tokenize(server.render(conversation), opened=True)
        _refuse(f"the chat template over {conversation[-1]['content'][:60]!r}", _difference(ids, rendered))
    odd = [*_ODD, *tokenizer.all_special_tokens]
    otherwise = [text for text in odd if difference(text)]
    warnings = []
    if composed:
        warnings.append("the tokenizer composes Unicode (NFC) and llama.cpp does not: decomposed letters differ")
    if otherwise:
        examples = ", ".join(repr(text[:40]) for text in otherwise[:_EXAMPLES])
        warnings.append(
            f"llama.cpp reads {len(otherwise)} of {len(odd)} odd strings otherwise than training, such as {examples}; "
            f"all {len(alike)} texts and commands, and {len(prompts)} prompts, are read alike"
        )
    return Checked(len(alike) + len(odd) - len(otherwise), len(prompts), tuple(warnings))


def check_end(contents: Contents, form: ChatForm) -> None:
    """Raise DataError where the file does not know the token that training closed answers with."""
    if form.end not in contents.ends:
        raise DataError(f"the GGUF ends answers with tokens {contents.ends}, training did with {form.end}")


def spaced_behind_special(tokenizer: Any) -> bool:
    """Tell whether SentencePiece's space is put before a word that stands right behind a special token.

    Args:
        tokenizer: A tokenizer made of a SentencePiece vocabulary.

    Returns:
        True where such a word begins with SentencePiece's `▁`.
    """
    ids = tokenizer(f"{tokenizer.eos_token}word", add_special_tokens=False)["input_ids"]
    return bool(tokenizer.convert_ids_to_tokens(ids)[1].startswith("▁"))


def _composes(tokenizer: Any) -> bool:
    normalizer = getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None)
    return normalizer is not None and normalizer.normalize_str("e\u0301") == "\u00e9"


def _difference(ours: Sequence[int], theirs: Sequence[int]) -> str | None:
    """Say where two readings part; None where they are the same."""
    if list(ours) == list(theirs):
        return None
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    return f"at token {at} {list(theirs[at : at + 5])} instead of {list(ours[at : at + 5])}"


def _refuse(what: str, difference: str | None) -> None:
    if difference:
        raise DataError(
            f"llama.cpp does not read {what} as training did: {difference}; so no GGUF is written: serve the merged "
            "model instead (--format merged)"
        )
