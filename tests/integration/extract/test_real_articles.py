"""Windowing on the 30 real articles, which only some machines have."""

from functools import partial

import pytest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from ctiforge.data.testsets import read_labelled_articles
from ctiforge.extract.dataset.examples import ExampleLengths, article_examples, locate_article
from ctiforge.extract.prompts import load_prompt
from ctiforge.records.model_note import WindowSizes
from ctiforge.training.encoding import load_tokenizer

MAX_LENGTH = 2048


def demo_tokens():
    tokenizer = load_tokenizer("demo")
    return lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]


def mistral_tokens():
    tokenizer = MistralTokenizer.v1().instruct_tokenizer.tokenizer
    return lambda text: tokenizer.encode(text, bos=False, eos=False)


@pytest.mark.parametrize("tokens_of", [demo_tokens, mistral_tokens])
def test_windowing_keeps_every_labeled_item(tokens_of, real_articles):
    tokens = tokens_of()
    prompt = load_prompt("full-v1")
    articles = [
        locate_article(record, partial(count_each, tokens))
        for record in read_labelled_articles(real_articles)
        if record.observables
    ]
    longest = max(length for article in articles for length in article.target_tokens)
    sizes = WindowSizes(MAX_LENGTH, window_tokens=900, overlap_tokens=min(longest, 675))
    for article in articles:
        result = article_examples(article, sizes, partial(rendered, prompt), partial(lengths, tokens), 99)
        kept = {(item.type, item.value) for example in result.examples for item in example.observables}
        wanted = {(target.observable.type, target.observable.value) for target in article.targets}
        assert wanted <= kept | {(item.type, item.value) for item in result.too_long}
        assert result.too_long == []
        assert article.unlocated_human == ()
        assert all(example.tokens <= MAX_LENGTH for example in result.examples)


def count_each(tokens, texts):
    return [len(tokens(text)) for text in texts]


def rendered(prompt, types, window, platform):
    return f"[INST] {prompt.system}\n\n{prompt.user(types, window, platform=platform)} [/INST]"


def lengths(tokens, prompt, answer):
    answer_tokens = len(tokens(answer)) + 1
    return ExampleLengths(len(tokens(prompt)) + 1, answer_tokens, answer_tokens)
