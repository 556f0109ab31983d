"""Which file types can be asked for, and what is told of tensors that are of another."""

import pytest

from ctiforge.errors import UsageError
from ctiforge.release.gguf import Contents, fallbacks
from ctiforge.release.quantize import parse_types


def test_types_are_taken_once_and_in_order():
    assert parse_types(" Q8_0, f16,q8_0 ") == ("q8_0", "f16")


@pytest.mark.parametrize("text", ["", "q9", "f16,q9"])
def test_an_unknown_type_is_refused(text):
    with pytest.raises(UsageError, match="choose among"):
        parse_types(text)


def test_tensors_of_another_type_are_told():
    rounded = Contents("llama", "gpt-2", (2,), "", {"Q5_0": 21, "F32": 15, "Q6_K": 1})
    assert "21 Q5_0 of 37 tensors" in fallbacks(rounded, "q4_k_m")
    assert fallbacks(Contents("llama", "gpt-2", (2,), "", {"Q4_K": 2, "Q6_K": 1, "F32": 3}), "q4_k_m") is None
