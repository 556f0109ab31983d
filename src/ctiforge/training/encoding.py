"""Text to token ids, the same way for training and for generation."""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ctiforge.errors import UsageError
from ctiforge.training.special_tokens import break_special

DEMO_MODEL = "demo"
"""The name of the small base model that this package ships."""
TOKENIZER_FILES = ("*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken", "*.bpe")
"""What of a model's folder a tokenizer is loaded from, and all that is small beside it; no weights."""
MODEL_FILES = (*TOKENIZER_FILES, "*.safetensors")
"""What of a model's folder a model is loaded from: weights that can hold no code, and all beside them."""
END_TOKENS = "ctiforge_end_tokens"
"""The attribute of a tokenizer that names the tokens that end an answer, where the model's usage says which."""
_OTHER_KIND = re.compile(r"class '[\w.]*\.(\w+)Config'> for this kind of AutoModel: AutoModelForCausalLM\b")
"""What transformers say of a checkpoint that they know, and that is of another kind."""
IGNORE = -100
"""The label of a token that carries no loss (the convention of torch's cross_entropy)."""


@dataclass(frozen=True)
class EncodedExample:
    """One training row."""

    input_ids: list[int]
    """Token ids of the prompt, the answer and its end token."""
    answer_start: int
    """The index of the answer's first token."""

    @property
    def length(self) -> int:
        """Count the tokens of prompt and answer."""
        return len(self.input_ids)

    @property
    def labels(self) -> list[int]:
        """List what each token is trained as: the ids of the answer and its end token; `IGNORE` for the prompt."""
        return [IGNORE] * self.answer_start + self.input_ids[self.answer_start :]


def resolve_model(name: str) -> str:
    """Name what transformers can load.

    Args:
        name: A folder, a hub name, or `demo` for the base model of this package.

    Returns:
        The folder of the demo's base model for `demo`, else the name itself.
    """
    if name != DEMO_MODEL:
        return name
    return str(resources.files("ctiforge") / "demo" / "base")


@contextmanager
def on_this_machine(model: str, only: Collection[str] = MODEL_FILES) -> Iterator[str]:
    """Give the folder of a model; one in S3 is fetched for as long as the block lasts.

    A model of the Hub is that of one commit: the one that its name says, else the one that it stands for now.

    Args:
        model: A folder, an `s3://` URI, a hub name with or without its commit, or `demo`.
        only: Patterns of the files of a model in S3 or of the Hub that are needed.

    Yields:
        A folder.

    Raises:
        UsageError: A hub name stands for no commit that can be told.
        OSError: The Hub's files cannot be had.
    """
    path = resolve_model(model)
    if Path(path).is_dir():
        yield path
        return
    # only here: a folder is trained on and asked without the store
    from ctiforge.store.artifacts import fetch_input, find_input
    from ctiforge.store.hub import download, is_hub_name, pin

    if is_hub_name(path):
        yield str(download(pin(path), only))
        return
    if not path.startswith("s3://"):
        yield path
        return
    with TemporaryDirectory() as scratch:
        yield str(fetch_input(find_input(path), Path(scratch), only))


def model_input(name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Tell how a model enters a fingerprint: a folder or artifact by its content, a hub name by its commit.

    Args:
        name: A folder, an `s3://` URI, a hub name with its commit (`hub.pin`), or `demo`.

    Returns:
        The inputs (`model` → URI) and the parameters (`model_name` → name) of a stage; one of the two is empty.

    Raises:
        UsageError: It is a path, and there is no such folder.
    """
    path = resolve_model(name)
    if path.startswith("s3://") or Path(path).is_dir():
        return {"model": path}, {}
    from ctiforge.store.artifacts import check_name

    check_name(name)
    return {}, {"model_name": name}


def load_tokenizer(model: str) -> Any:
    """Load the tokenizer of a model.

    Args:
        model: A folder, an `s3://` URI, a hub name, or `demo`.

    Returns:
        The Hugging Face tokenizer.

    Raises:
        UsageError: There is none, or this machine cannot reach it.
    """
    from transformers import AutoTokenizer

    quiet_hub()
    try:
        with on_this_machine(model, TOKENIZER_FILES) as path:
            # whatever else is installed, a Mistral checkpoint is read with the template and tokens of its own files
            tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False, mistral_format=False)
    except Exception as error:  # tokenizers raise no kind of their own for a damaged file
        raise UsageError(cannot_load("tokenizer", model, error)) from error
    # Whole articles are counted, never run through the model: no warning about their length.
    tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
    return tokenizer


def quiet_hub() -> None:
    """Keep the Hub's lines about its retries out of a program's output: the error that ends them says enough."""
    import logging

    from huggingface_hub.utils.logging import set_verbosity

    set_verbosity(logging.ERROR)


def cannot_load(part: str, model: str, error: Exception) -> str:
    """Word the message for a model or tokenizer that cannot be loaded.

    Args:
        part: What it is: `model` or `tokenizer`.
        model: The folder or hub name that was asked for.
        error: What transformers raised.

    Returns:
        One line with the first line of the reason and what to do.
    """
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if other := _OTHER_KIND.search(reason):
        return (
            f"{model} is a {other[1]}, no model that answers text with text (it also sees, or translates): take another"
        )
    if not Path(resolve_model(model)).exists():
        reason = f"there is no such folder, and on the Hub: {reason}"
    return f"cannot load the {part} of {model!r}: {reason[:200]} (name a folder, or a hub model this machine can reach)"


def encode_prompt(tokenizer: Any, text: str) -> list[int]:
    """Tokenize a rendered prompt, opened by the begin token where this tokenizer opens texts with one.

    Args:
        tokenizer: The model's tokenizer.
        text: The prompt, with its special tokens written out.

    Returns:
        Token ids.
    """
    return _encode_prompts(tokenizer, [text])[0]


def encode_answer(tokenizer: Any, text: str) -> list[int]:
    """Tokenize an answer and close it with the end token that stops generation; it holds no special token before.

    Args:
        tokenizer: The model's tokenizer.
        text: The answer.

    Returns:
        Token ids.
    """
    return _encode_answers(tokenizer, [text])[0]


def encode_example(tokenizer: Any, prompt: str, answer: str) -> EncodedExample:
    """Tokenize prompt and answer apart and join them, so that training sees the ids generation will see.

    Args:
        tokenizer: The model's tokenizer.
        prompt: The rendered prompt.
        answer: The answer.

    Returns:
        The training row.
    """
    return encode_examples(tokenizer, [prompt], [answer])[0]


def encode_examples(tokenizer: Any, prompts: Sequence[str], answers: Sequence[str]) -> list[EncodedExample]:
    """Tokenize many examples at once, each as `encode_example` does.

    Args:
        tokenizer: The model's tokenizer.
        prompts: The rendered prompts.
        answers: The answer to each.

    Returns:
        The training rows.
    """
    if not prompts:
        return []
    pairs = zip(_encode_prompts(tokenizer, prompts), _encode_answers(tokenizer, answers), strict=True)
    return [EncodedExample(prompt + answer, len(prompt)) for prompt, answer in pairs]


def end_token_id(tokenizer: Any) -> int:
    """Find the token that ends an answer: what the chat template closes a turn with, else the end-of-sequence token.

    Args:
        tokenizer: The model's tokenizer.

    Returns:
        The token's id; of those that the model's usage names the first.

    Raises:
        UsageError: The tokenizer has neither.
    """
    named = getattr(tokenizer, END_TOKENS, ())
    if named:
        return int(tokenizer.convert_tokens_to_ids(named[0]))
    closing = _turn_end(tokenizer)
    if closing is not None:
        return closing
    if tokenizer.eos_token_id is None:
        raise UsageError("this tokenizer has no end-of-sequence token, so no answer could ever end: set eos_token")
    return int(tokenizer.eos_token_id)


def end_token_ids(tokenizer: Any) -> list[int]:
    """List the tokens that end an answer where one is generated.

    Args:
        tokenizer: The model's tokenizer.

    Returns:
        Their ids, the one that training writes first.

    Raises:
        UsageError: The tokenizer has none.
    """
    named = [int(tokenizer.convert_tokens_to_ids(token)) for token in getattr(tokenizer, END_TOKENS, ())]
    return named or [end_token_id(tokenizer)]


def pad_token_id(tokenizer: Any) -> int:
    """Find a token to pad with; padding is masked by position, so any id serves where there is no pad token.

    Args:
        tokenizer: The model's tokenizer.

    Returns:
        The token's id.
    """
    return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else end_token_id(tokenizer))


def count_tokens(tokenizer: Any, texts: Sequence[str]) -> list[int]:
    """Count the tokens of each text, without special tokens.

    Args:
        tokenizer: The model's tokenizer.
        texts: The texts.

    Returns:
        Tokens, in the order of the texts.
    """
    if not texts:
        return []
    return [len(ids) for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]


def tokenizer_hash(tokenizer: Any) -> str:
    """Identify a tokenizer by what it does: its vocabulary and its chat template.

    Args:
        tokenizer: The tokenizer.

    Returns:
        SHA-256 in hex digits.
    """
    content = json.dumps([sorted(tokenizer.get_vocab().items()), str(tokenizer.chat_template)])
    return hashlib.sha256(content.encode()).hexdigest()


def _encode_prompts(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    every = _ids(tokenizer, texts)
    bos = tokenizer.bos_token_id
    opens_with_bos = bos is not None and list(tokenizer("")["input_ids"][:1]) == [bos]
    return [[bos, *ids] if opens_with_bos and ids[:1] != [bos] else ids for ids in every]


def _encode_answers(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    end = end_token_id(tokenizer)
    return [[*ids, end] for ids in _ids(tokenizer, [break_special(tokenizer, text) for text in texts])]


def _ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    ids: list[list[int]] = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return ids


def _turn_end(tokenizer: Any) -> int | None:
    if not tokenizer.chat_template:
        return None
    marker = "ANSWER-MARKER"
    turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": marker}]
    rendered = tokenizer.apply_chat_template(turns, tokenize=False)
    after = rendered.split(marker)[-1]
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    ids = tokenizer(after, add_special_tokens=False)["input_ids"]
    return next((int(token) for token in ids if token in special), None)
