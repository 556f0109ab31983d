"""A llama.cpp server beside the model that its file was made from."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ctiforge.demo.articles import DemoSizes, make_corpus
from ctiforge.release.gguf import ChatForm, convert
from ctiforge.release.server import LlamaServer, serving
from ctiforge.release.tools import LlamaCpp
from ctiforge.training.encoding import end_token_id, load_tokenizer, resolve_model
from ctiforge.training.models import load_causal_lm

TOKENS = 200
SHOWN = 10


@pytest.fixture
def server(tmp_path: Path, tools: LlamaCpp) -> Iterator[LlamaServer]:
    form = ChatForm("{{ messages[0]['content'] }}", True, end_token_id(load_tokenizer("demo")))
    file = tmp_path / "demo.gguf"
    convert(Path(resolve_model("demo")), form, "demo", file, tmp_path, tools)
    with serving(file, tools, context=2 * TOKENS, exact=True) as running:
        yield running


@pytest.mark.slow
def test_an_exact_server_s_probabilities_are_those_of_the_source(server: LlamaServer) -> None:
    model = load_causal_lm(resolve_model("demo"), torch.device("cpu"), torch.float32).eval()
    tokenizer = load_tokenizer("demo")
    for article in make_corpus(5, DemoSizes(3, 1, 1, 0, 0)).training:
        ids = tokenizer(article.content)["input_ids"][:TOKENS]
        with torch.no_grad():
            expected = torch.log_softmax(model(torch.tensor([ids])).logits[0, -1], -1)
        for token, found in next_token(server, ids).items():
            assert found == pytest.approx(expected[token].item(), abs=1e-4)


def next_token(server: LlamaServer, ids: list[int]) -> dict[int, float]:
    """The likeliest next tokens with the logarithms of their probabilities."""
    body = {"prompt": ids, "n_predict": 1, "temperature": 0, "n_probs": SHOWN}
    request = urllib.request.Request(
        f"{server.address}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        (first,) = json.load(answer)["completion_probabilities"]
    likeliest = {int(each["id"]): float(each["logprob"]) for each in first["top_logprobs"]}
    assert len(likeliest) == SHOWN
    return likeliest
