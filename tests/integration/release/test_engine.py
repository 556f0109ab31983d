"""eval_extract with llama.cpp's server as its engine, beside the same weights in transformers."""

import gzip
import json
import os
import sys
import uuid
from pathlib import Path

import pytest

from ctiforge.demo.articles import DemoSizes, make_corpus
from ctiforge.records.answer import ANSWERS_NAME
from ctiforge.release.tools import LlamaCpp
from ctiforge.training.encoding import load_tokenizer, resolve_model
from tests.ending import MARK, alive
from tests.in_process import run_here

ENGINE = (
    f"{sys.executable} -m ctiforge.release.serve -m {{model}} --alias anything --host 127.0.0.1 --port {{port}} "
    "-c 8192 -np 4 -t 1 -ctk f32 -ctv f32 -fa off"
)


def answers(evaluation: Path) -> list[str]:
    """Every window's raw answer, in order."""
    lines = gzip.decompress((evaluation / ANSWERS_NAME).read_bytes()).splitlines()
    return [json.loads(line)["raw"] for line in lines]


def without_special(raw: str) -> str:
    for token in load_tokenizer("demo").all_special_tokens:
        raw = raw.replace(token, "")
    return raw


def run(program: str, *flags: str, cwd: Path) -> str:
    done = run_here(program, *flags, cwd=cwd, environment=os.environ | {"HOME": str(cwd)})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_llama_cpp_s_server_answers_as_transformers_do(
    tmp_path: Path, tools: LlamaCpp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARK, uuid.uuid4().hex)
    articles = make_corpus(5, DemoSizes(1, 0, 4, 0, 0)).test
    file = tmp_path / "articles.jsonl"
    file.write_text("".join(article.model_dump_json() + "\n" for article in articles), encoding="utf-8")
    run("export_model", "--model=demo", "--format=gguf", "--quantize=f32", "--output=files", cwd=tmp_path)
    (gguf,) = (tmp_path / "files").rglob("*.gguf")
    test = f"--test-data={file}"

    run("eval_extract", "--model=demo", test, "--device=cpu", "--output=here", cwd=tmp_path)
    said = run(
        "eval_extract", f"--model={gguf}", f"--engine={ENGINE}", f"--asked-as={resolve_model('demo')}", test,
        "--output=served", cwd=tmp_path,
    )  # fmt: skip

    assert not alive()
    body = json.loads((tmp_path / "served" / "evaluation.json").read_text())
    assert body["engine"]["version"].startswith("xllamacpp 20")
    assert "the engine is ready: xllamacpp 20" in said
    # a server leaves out the special tokens that an untrained model writes
    there, here = answers(tmp_path / "served"), [without_special(each) for each in answers(tmp_path / "here")]
    assert len(there) == len(here) > 1
    # what goes round in circles is cut off here, and by its room there
    pairs = zip(there, here, strict=True)
    assert all(served == own or (len(own) > 192 and served.startswith(own)) for served, own in pairs)
    assert sum(each["answers"]["failed"] for each in body["articles"]) == 0
