"""Where llama.cpp's tools are looked for."""

import pytest

from ctiforge.errors import UsageError
from ctiforge.release.tools import CONVERTER, find_llama_cpp, prepare_converter


def make_checkout(folder, programs=("llama-server", "llama-quantize")):
    (folder / "build" / "bin").mkdir(parents=True)
    (folder / "convert_hf_to_gguf.py").touch()
    for name in programs:
        program = folder / "build" / "bin" / name
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    return folder


def test_a_built_checkout_is_used_for_everything(tmp_path):
    found = find_llama_cpp(make_checkout(tmp_path))
    assert found.converter == tmp_path
    assert found.server == (str(tmp_path / "build" / "bin" / "llama-server"),)
    assert found.quantizer == tmp_path / "build" / "bin" / "llama-quantize"


def test_a_checkout_that_is_not_built_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no built checkout"):
        find_llama_cpp(make_checkout(tmp_path, ("llama-server",)))


def test_a_converter_that_is_kept_is_not_fetched(tmp_path):
    kept = tmp_path / "-".join(CONVERTER)
    kept.mkdir()
    assert prepare_converter(tmp_path) == kept
