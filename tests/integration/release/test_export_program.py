"""export_model as a person runs it: real converter, real quantization, real server, tiny models."""

import json
import os
from contextlib import nullcontext

import pytest
from huggingface_hub import constants

from ctiforge.demo.articles import DemoSizes, make_corpus
from ctiforge.errors import CannotGoOnError, DataError
from ctiforge.release.gguf import ChatForm, Conversion, convert
from ctiforge.release.server import serving
from ctiforge.release.tokens import check_reading
from ctiforge.training.encoding import load_tokenizer
from ctiforge.training.models import name_base
from tests.cached_hub import cache_model
from tests.in_process import run_here
from tests.integration.release import tiny_models

pytestmark = pytest.mark.usefixtures("tools")


def export(*arguments, cwd, code=0):
    done = run_here("export_model", *map(str, arguments), cwd=cwd, environment=os.environ | {"HOME": str(cwd)})
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def test_file(tmp_path_factory):
    corpus = make_corpus(5, DemoSizes(1, 0, 60, 0, 0)).test
    # those of which the base is sure: where two tokens are as likely, half precision may give the other
    articles = [corpus[number] for number in (7, 25, 35, 47)]
    file = tmp_path_factory.mktemp("test") / "articles.jsonl"
    file.write_text("".join(article.model_dump_json() + "\n" for article in articles), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def exported(tools, test_file, tmp_path_factory):
    """The demo's model for LM Studio as every type of file: its folder, and what was said."""
    home = tmp_path_factory.mktemp("home")
    line = ("--model=demo", "--format=lmstudio", "--publisher=my-team", "--quantize=f32,f16,q8_0,q4_k_m")
    done = export(*line, f"--test-data={test_file}", cwd=home)
    again = export(*line, f"--test-data={test_file}", cwd=home)
    assert again.stdout.startswith("cached: export_model")
    return home, done.stdout


def test_every_file_answers_the_test_set_beside_its_source(exported):
    home, said = exported
    out = home / "models" / "demo-lmstudio"
    body = json.loads((out / "export.json").read_text())
    files = {each["type"]: each for each in body["files"]}
    parity = {each["file_type"]: each for each in body["parity"]}

    assert {each["pretokenizer"] for each in files.values()} == {"chameleon"}
    assert set(files["f16"]["tensor_types"]) == {"F16", "F32"}
    assert "Q5_0" in files["q4_k_m"]["tensor_types"]
    assert "no multiple of 256" in said
    assert parity["f32"]["same_windows"] == parity["f32"]["windows"] > 0
    assert files["f32"]["bytes"] > files["f16"]["bytes"] > files["q8_0"]["bytes"] > files["q4_k_m"]["bytes"]
    assert {path.name for path in out.glob("evaluation-*")} == {
        f"evaluation-{name}.json" for name in ("source", *files)
    }


@pytest.mark.slow
def test_a_file_that_answers_otherwise_than_its_source_is_not_exported(tmp_path, test_file):
    model = tiny_models.make_llama(tmp_path / "tiny")
    tiny_models.add_qwen2_tokenizer(model)
    tiny_models.shrink_below_f16(model)
    # random weights answer every window at full length
    one_article = tmp_path / "article.jsonl"
    one_article.write_text(test_file.read_text(encoding="utf-8").partition("\n")[0], encoding="utf-8")
    line = ("--model=tiny", "--format=gguf", "--quantize=f16", "--output=out", f"--test-data={one_article}")
    done = export(*line, cwd=tmp_path, code=5)

    assert "tiny is not exported: f16 answers 0 of" in done.stderr
    assert "at least 99.0% must be the same" in done.stderr
    assert not list((tmp_path / "out").rglob("*.gguf"))


def test_lm_studio_finds_each_file_alone_in_its_folder_and_a_person_the_lines_to_serve_it(exported):
    home, said = exported
    preset = json.loads((home / "models/demo-lmstudio/demo.preset.json").read_text())
    models = home / ".lmstudio" / "models" / "my-team"

    assert {path.relative_to(models).as_posix() for path in models.rglob("*.gguf")} == {
        f"demo-{name}/demo-{name.upper()}.gguf" for name in ("f32", "f16", "q8_0", "q4_k_m")
    }
    assert any(field["key"] == "llm.prediction.structured" for field in preset["operation"]["fields"])
    assert "lms load my-team/demo-q8_0 --context-length 2048 --identifier demo-q8_0" in said
    # asked in the application's own words the model would answer what it was not trained for
    assert "ctiforge serve demo --upstream-engine http://localhost:1234/v1" in said
    assert "LMSTUDIO_API_URL=http://host.docker.internal:1235/v1 LMSTUDIO_MODEL_EXTRACT=ctiforge" in said
    assert "  ctiforge eval-extract --endpoint http://localhost:1234/v1 --model demo-f32" in said.splitlines()[-1]


def test_what_was_needed_is_said_before_and_kept_with_what_was_taken(exported):
    home, said = exported
    cost = json.loads((home / "models/demo-lmstudio/export.json").read_text())["cost"]

    assert said.startswith("demo: at most ")
    assert cost["peak_memory"] > 10**8
    assert 0 < cost["scratch"] < 2 * cost["scratch_expected"] + 10**6


def metadata(gguf):
    from gguf import GGUFReader

    return {name: field.contents() for name, field in GGUFReader(gguf).fields.items()}


def test_what_a_file_says_of_its_origin(exported):
    home, _ = exported
    body = json.loads((home / "models/demo-lmstudio/export.json").read_text())
    said = metadata(home / "models/demo-lmstudio/demo-Q8_0.gguf")
    assert said["ctiforge.content"] == body["content"]


@pytest.mark.slow
def test_the_other_file_types_and_what_an_earlier_export_left(tmp_path):
    export("--model=demo", "--format=gguf", "--quantize=q8_0", "--output=out", cwd=tmp_path)
    export("--model=demo", "--format=gguf", "--quantize=bf16,q6_k,q5_k_m", "--output=out", cwd=tmp_path)
    files = json.loads((tmp_path / "out/export.json").read_text())["files"]

    assert [set(each["tensor_types"]) & {"BF16", "Q8_0"} for each in files] == [{"BF16"}, {"Q8_0"}, {"Q8_0"}]
    assert {path.name for path in (tmp_path / "out").glob("*.gguf")} == {each["file"] for each in files}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("add_tokenizer", "pretokenizer"),
    [
        (tiny_models.add_llama3_tokenizer, "llama-bpe"),
        pytest.param(tiny_models.add_qwen2_tokenizer, "qwen2", marks=pytest.mark.prove),
    ],
)
def test_other_families_are_read_and_rendered_as_in_training(tmp_path, add_tokenizer, pretokenizer):
    add_tokenizer(tiny_models.make_llama(tmp_path / "tiny"))
    done = export("--model=tiny", "--format=gguf", "--quantize=q4_k_m", "--output=out", cwd=tmp_path)
    (file,) = json.loads((tmp_path / "out" / "export.json").read_text())["files"]

    assert file["pretokenizer"] == pretokenizer
    assert set(file["tensor_types"]) == {"Q4_K", "Q6_K", "F32"}
    assert file["prompts_rendered_alike"] > 50
    assert "nobody has looked" in done.stdout


@pytest.mark.slow
def test_a_tokenizer_that_llama_cpp_has_no_name_for_is_refused(tmp_path):
    tiny_models.add_odd_tokenizer(tiny_models.make_llama(tmp_path / "odd"))
    done = export("--model=odd", "--format=gguf", "--output=out", cwd=tmp_path, code=2)
    assert "no name for how this tokenizer splits text" in done.stderr
    assert not list((tmp_path / "out").rglob("*.*"))


@pytest.mark.slow
def test_an_adapter_over_a_sentencepiece_base_is_merged_with_its_vocabulary(tmp_path):
    tiny_models.add_sentencepiece_tokenizer(tiny_models.make_llama(tmp_path / "base"))
    adapter = tiny_models.make_adapter(tmp_path / "base", tmp_path / "adapter")
    assert not (adapter / "tokenizer.model").exists()

    merged = export(f"--model={adapter}", "--output=merged", cwd=tmp_path)
    export(f"--model={adapter}", "--format=gguf", "--output=out", cwd=tmp_path)

    assert "tuned: adapter merged into its base" in merged.stdout
    assert (tmp_path / "merged" / "tokenizer.model").exists()
    assert (tmp_path / "out" / "tuned-Q8_0.gguf").exists()


def test_an_adapter_over_a_model_of_the_hub_is_merged_into_the_commit_that_it_was_trained_on(tmp_path, monkeypatch):
    commit = "a" * 40
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    tiny_models.add_sentencepiece_tokenizer(tiny_models.make_llama(tmp_path / "base"))
    adapter = tiny_models.make_adapter(tmp_path / "base", tmp_path / "adapter")
    name_base(adapter, f"team/base@{commit}")
    note = json.loads((adapter / "ctiforge.json").read_text()) | {"base_model": "team/base", "base_revision": commit}
    (adapter / "ctiforge.json").write_text(json.dumps(note))
    cache_model(tmp_path / "hub", "team/base", commit, tmp_path / "base", refs=())

    export(f"--model={adapter}", "--output=merged", cwd=tmp_path)

    assert json.loads((tmp_path / "merged" / "export.json").read_text())["base"] == f"team/base@{commit}"
    assert (tmp_path / "merged" / "tokenizer.model").exists()
    (adapter / "ctiforge.json").write_text(json.dumps(note | {"base_revision": "b" * 40}))
    refused = export(f"--model={adapter}", "--output=other", cwd=tmp_path, code=3)
    assert f"its adapter names team/base@{commit}" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "found_out"), [pytest.param("llama-bpe", False, marks=pytest.mark.prove), ("smollm", True)]
)
def test_a_wrong_pretokenizer_is_found_out(tmp_path, tools, monkeypatch, name, found_out):
    model = tiny_models.make_llama(tmp_path / "tiny")
    tiny_models.add_llama3_tokenizer(model)
    monkeypatch.setattr("ctiforge.release.gguf.find_pretokenizer", lambda _: name)
    file = tmp_path / "tiny.gguf"
    wanted = Conversion(model, ChatForm("{{ messages[0]['content'] }}", True, 2), "tiny", "f32", {})
    convert(wanted, file, tmp_path, tools)
    expected = pytest.raises(DataError, match="does not read") if found_out else nullcontext()
    with serving(file, tools, context=512) as server, expected:
        check_reading(server, load_tokenizer(str(model)), ["It ran x.exe\r\n\r\nand 2024 (10.0.22631)"], [])


def test_a_damaged_file_is_told_with_llama_cpp_s_own_words(tmp_path, tools):
    file = tmp_path / "damaged.gguf"
    file.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(CannotGoOnError, match="cannot serve"), serving(file, tools, context=512):
        pass


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--format=onnx",), "choose among merged, gguf, lmstudio, adapter-gguf"),
        (("--format=gguf", "--quantize=q9"), "choose among"),
        (("--format=gguf", "--quantise=q9"), "choose among"),
        (("--dtype=int8",), "--dtype int8: choose among bf16, f16, f32"),
        (("--format=gguf", "--proof=none"), "choose among sample, full"),
        (("--format=lmstudio", "--publisher=a/b"), "letters, digits"),
        (("--format=gguf", "--llama-cpp=nowhere"), "no built checkout"),
    ],
)
def test_bad_flags_end_with_one_line(tmp_path, flags, message):
    done = export("--model=demo", *flags, cwd=tmp_path, code=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_rules_have_nothing_to_export(tmp_path):
    assert "--model regex: the rules have nothing to export" in export("--model=regex", cwd=tmp_path, code=2).stderr


def test_an_adapter_over_a_base_in_s3_is_merged_in_half_precision(tmp_path, s3_bucket):
    base = tiny_models.make_llama(tmp_path / "base")
    tiny_models.add_llama3_tokenizer(base)
    (base / "README.md").write_text("---\nlicense: llama3.2\n---\n")
    from ctiforge.store.bases import BaseFacts, put_base
    from ctiforge.store.objects import open_store

    put, _ = put_base(open_store(s3_bucket), BaseFacts("tiny", "tiny"), {each.name: each for each in base.iterdir()})
    adapter = tiny_models.make_adapter(base, tmp_path / "adapter")
    name_base(adapter, put.uri)
    note = json.loads((adapter / "ctiforge.json").read_text()) | {"base_model": put.uri}
    (adapter / "ctiforge.json").write_text(json.dumps(note))

    done = export(f"--model={adapter}", "--dtype=bf16", "--output=merged", cwd=tmp_path)
    body = json.loads((tmp_path / "merged/export.json").read_text())
    assert body["merge"] | {"adapter": True, "dtype": "bf16", "weights_compared": 14} == body["merge"]
    assert body["license"] == "llama3.2"
    assert "--dtype bfloat16 --max-model-len 1024" in done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_an_adapter_alone_becomes_a_gguf_of_its_own(tmp_path):
    base = tiny_models.make_llama(tmp_path / "base")
    tiny_models.add_llama3_tokenizer(base)
    (base / "README.md").write_text("---\nlicense: llama3.2\n---\n")
    adapter = tiny_models.make_adapter(base, tmp_path / "adapter")
    done = export(f"--model={adapter}", "--format=adapter-gguf", "--output=out", cwd=tmp_path)
    (file,) = json.loads((tmp_path / "out/export.json").read_text())["files"]

    assert file["file"] == "tuned-adapter-F32.gguf"
    assert sum(file["tensor_types"].values()) == 28
    said = metadata(tmp_path / "out" / file["file"])
    assert said["general.type"] == "adapter"
    assert said["general.name"] == "tuned"
    assert said["general.license"] == "llama3.2"
    assert said["general.base_model.0.name"] == "base"
    assert len(said["ctiforge.content"]) == 12
    assert str(tmp_path) not in str(said)
    assert sorted(each.name for each in (tmp_path / "out").glob("*")) == ["export.json", "manifest.json", file["file"]]
    assert "nobody has looked how the two answer together" in done.stdout
    refused = export("--model=base", "--format=adapter-gguf", "--output=other", cwd=tmp_path, code=2)
    assert "is no adapter but whole weights" in refused.stderr
