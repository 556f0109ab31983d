"""The Extract Agent answers on a GPU what it answers on a CPU."""

from dataclasses import replace
from pathlib import Path

import torch

from ctiforge.extract.answering.agent import ExtractAgent
from ctiforge.extract.answering.extraction import Source
from ctiforge.extract.prompts.rendering import render_prompt
from ctiforge.records.model_note import AgentUsage, WindowSizes
from ctiforge.training.encoding import encode_examples, load_tokenizer
from ctiforge.training.models import load_causal_lm
from tests.gpu.runs import OPTIONS, VALIDATION, run

USAGE = AgentUsage("messages", "short-v1", ("cmdline",), WindowSizes(240, 120, 0))
TOOLS = ("whoami", "net user", "ipconfig", "tasklist")
TEXTS = [f"It ran {tool} there." for tool in TOOLS]
ANSWERS = [f'{{"observables":[{{"type":"cmdline","value":"{tool}"}}]}}' for tool in TOOLS]


def test_a_trained_model_answers_as_on_the_cpu(small: Path, tmp_path: Path, on: str) -> None:
    tokenizer = load_tokenizer("demo")
    options = replace(OPTIONS, max_steps=300, eval_steps=50)
    rows = _rows(tokenizer)
    trained = run(small, tmp_path / "run", on, "full", options, rows=rows, learning_rate=1e-3).model
    trained.config.use_cache = True
    trained.save_pretrained(tmp_path / "model")
    said = {name: _said(tmp_path / "model", name, tokenizer) for name in (on, "cpu")}
    assert said["cpu"] == ANSWERS, "it has learnt its answers"
    assert said[on] == said["cpu"]


def _rows(tokenizer: object) -> list:
    agent = ExtractAgent(None, tokenizer, USAGE, "prompts")
    prompts = [render_prompt(USAGE.text_format, agent.prompt, USAGE.types, text, tokenizer) for text in TEXTS]
    rows = encode_examples(tokenizer, prompts, ANSWERS)
    return rows * (5 * VALIDATION // len(rows))


def _said(model: Path, on: str, tokenizer: object) -> list[str]:
    loaded = load_causal_lm(str(model), torch.device(on), torch.float32).eval()
    agent = ExtractAgent(loaded, tokenizer, USAGE, "small", batch_size=3)
    return [each.windows[0].raw for each in agent.extract_many([Source(text) for text in TEXTS])]
