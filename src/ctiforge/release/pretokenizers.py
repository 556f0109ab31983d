"""Which of llama.cpp's names belongs to the way that a tokenizer splits text before its merges."""

from typing import Any

_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
_BYTES_ALONE = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
_DIGITS = {"type": "Digits", "individual_digits": True}


def _split(pattern: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def _words(digits: str) -> str:
    """Write the pattern of Llama 3 and Qwen2, which differ in how many digits stand together."""
    return (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
        + digits
        + r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )


# name: (steps, whether a word that is a token itself skips the merges); after llama-vocab.cpp of llama.cpp.
# `chameleon` splits off `<sentinel:N>` and `IMGIMG…Z` besides, which no article holds.
_KNOWN: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "gpt-2": ([_BYTES], False),
    "smollm": ([_DIGITS, _BYTES], False),
    "qwen2": ([_split(_words(r"\p{N}")), _BYTES_ALONE], False),
    "llama-bpe": ([_split(_words(r"\p{N}{1,3}")), _BYTES_ALONE], True),
    "chameleon": (
        [_split(r"([\t\n]|    |  )"), _split(r"\p{N}"), _split(r"[\p{P}!-/:-@\[-`{-~]"), _BYTES],
        False,
    ),
}


def find_pretokenizer(tokenizer: dict[str, Any]) -> str | None:
    """Find llama.cpp's name for the pre-tokenizer of a `tokenizer.json`, None where it has none that does the same."""
    steps = tokenizer.get("pre_tokenizer") or {}
    listed = steps.get("pretokenizers", []) if steps.get("type") == "Sequence" else [steps]
    # offsets are no concern of the ids
    plain = [{key: value for key, value in step.items() if key != "trim_offsets"} for step in listed]
    ours = (plain, bool(tokenizer.get("model", {}).get("ignore_merges")))
    return next((name for name, known in _KNOWN.items() if known == ours), None)
