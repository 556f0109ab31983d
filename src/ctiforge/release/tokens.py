"""Whether llama.cpp reads text as the tokenizer of training does: a wrong reading is silent and ruins every answer."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ctiforge.errors import DataError
from ctiforge.release.gguf import ChatForm, Contents
from ctiforge.release.server import LlamaServer

_PLAIN = (
    *("", " ", "  ", "   ", "\t", "\n", "\r\n", "\n\n\n", " \t \n ", "a b", " a", "a ", "3 33 333 3333", "1,234.56"),
    *("I'll don't WE'VE 'tis ''' \"\"\" `x`", 'C:\\Windows\\System32\\cmd.exe /c "whoami /all" & echo %PATH%'),
    *("HKLM\\SOFTWARE\\Microsoft\\Run", "hxxps://evil[.]example/a?b=c#d", "powershell -enc SQBFAFgA==", "/etc/passwd"),
    *("naïve café Ångström", "Съешь ещё этих булок", "东京都の会社 한국어", "العربية עברית", "កាន់តែពិសេស"),
    *("🚀 👩‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ✅", "“smart” ‘quotes’ – — …", "a\u00a0b\u2003c\u200bd\ufeff", "\u202eabc\u202c"),
    *("\x00", "\x01\x02\x1b[31m\x7f", "\ufffd", "e\u0301 n\u0303", "ﬁ ① ㎏", "\\n \\t \\u0041 {{x}} {% y %}"),
    *('{"observables":[{"type":"cmdline","value":"net \\"x\\" /add","platform":"Windows"}]}', '{"observables":[]}'),
    *("</s><s>[INST]<|im_end|><|eot_id|><pad><unk>", "a" * 300, "=" * 80, ".,;:!?()[]{}<>@#$^&*_+-=/|~"),
)
# Text stands inside a prompt; how the very first character is taken, SentencePiece's own way, the prompts show.
_BEFORE = "Text:\n"

RenderedPrompt = tuple[list[dict[str, str]], list[int]]
"""A conversation, and the ids of the prompt that training makes of it."""


@dataclass(frozen=True)
class Checked:
    """How many texts were read, and prompts rendered, as in training; all of them, else an error came."""

    texts: int
    prompts: int
    warnings: tuple[str, ...]


def check_reading(
    server: LlamaServer, tokenizer: Any, texts: Iterable[str], prompts: Sequence[RenderedPrompt]
) -> Checked:
    """Compare token ids of `texts` (and of a fixed set of odd ones), and of each prompt.

    Raises DataError with the first difference.
    """
    composed = _composes(tokenizer)
    before = (tokenizer.bos_token or "") + _BEFORE
    read = [before + text for text in (*_PLAIN, *tokenizer.all_special_tokens, *texts)]
    for text in (unicodedata.normalize("NFC", each) for each in read) if composed else read:
        _compare(
            repr(text[len(before) :][:80]),
            tokenizer(text, add_special_tokens=False)["input_ids"],
            server.tokenize(text),
        )
    for conversation, ids in prompts:
        rendered = server.render(conversation)
        _compare(
            f"the chat template over {conversation[-1]['content'][:60]!r}", ids, server.tokenize(rendered, opened=True)
        )
    warnings = (
        ("the tokenizer composes Unicode (NFC) and llama.cpp does not: decomposed letters are read differently",)
        if composed
        else ()
    )
    return Checked(len(read), len(prompts), warnings)


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


def _compare(what: str, ours: Sequence[int], theirs: Sequence[int]) -> None:
    if list(ours) == list(theirs):
        return
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    raise DataError(
        f"llama.cpp does not read {what} as training did: at token {at} {list(theirs[at : at + 5])} instead of "
        f"{list(ours[at : at + 5])}; every answer would suffer, so no GGUF is written: serve --format merged"
    )
