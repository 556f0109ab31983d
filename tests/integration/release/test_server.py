"""A llama.cpp server beside the model that its file was made from."""

import json
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ctiforge.demo.articles import DemoSizes, make_corpus
from ctiforge.release.gguf import ChatForm, Conversion, convert
from ctiforge.release.server import LlamaServer, serving
from ctiforge.release.tools import LlamaCpp
from ctiforge.training.encoding import end_token_id, load_tokenizer, resolve_model
from ctiforge.training.models import load_causal_lm
from tests.ending import MARK, alive, wait_until_gone

TOKENS = 200
SHOWN = 10


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, tools: LlamaCpp) -> Path:
    form = ChatForm("{{ messages[0]['content'] }}", True, end_token_id(load_tokenizer("demo")))
    folder = tmp_path_factory.mktemp("demo")
    wanted = Conversion(Path(resolve_model("demo")), form, "demo", dtype="f32", facts={})
    convert(wanted, folder / "demo.gguf", folder, tools)
    return folder / "demo.gguf"


@pytest.fixture
def server(file: Path, tools: LlamaCpp) -> Iterator[LlamaServer]:
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


SERVE = """
import signal, sys
from pathlib import Path
from ctiforge.release.server import serving
from ctiforge.release.tools import find_llama_cpp
with serving(Path(sys.argv[1]), find_llama_cpp(), context=512):
    print("ready", flush=True)
    signal.pause()
"""


@pytest.mark.slow
def test_a_server_ends_with_the_process_that_is_killed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK, uuid.uuid4().hex)
    with subprocess.Popen([sys.executable, "-c", SERVE, file], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        assert len(alive()) == 2
        process.kill()
    wait_until_gone()


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
