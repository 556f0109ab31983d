"""On what terms a model may be published."""

import pytest

from ctiforge.errors import UsageError
from ctiforge.release.terms import BaseTerms, check_name, choose_license, notice, write_terms


def test_the_license_is_the_base_s_unless_another_is_given():
    base = BaseTerms("team/base", "apache-2.0")
    assert choose_license(None, base) == "apache-2.0"
    assert choose_license("mit", base) == "mit"
    with pytest.raises(UsageError, match="nobody names the license"):
        choose_license(None, BaseTerms("team/base"))


@pytest.mark.parametrize(
    "base",
    [
        BaseTerms("meta/base", "llama3.2"),
        BaseTerms("google/base", "gemma"),
        BaseTerms("google/base", None, "gemma3_text"),
    ],
)
def test_a_license_that_binds_cannot_be_taken_away(base):
    assert choose_license(None, base) == base.binding
    with pytest.raises(UsageError, match="leave --license out"):
        choose_license("apache-2.0", base)


def test_an_architecture_alone_binds_nobody():
    assert choose_license(None, BaseTerms("hf/smol", "apache-2.0", "llama")) == "apache-2.0"
    assert choose_license(None, BaseTerms("google/base", "apache-2.0", "gemma4")) == "apache-2.0"


def test_only_llama_3_and_later_want_a_name():
    for repo, license_name in (("team/Llama-x", "llama3.3"), ("team/x", "llama2"), ("team/x", "gemma")):
        check_name(repo, license_name)
    with pytest.raises(UsageError, match="team/Llama-x"):
        check_name("team/x", "llama4")


def test_the_base_s_own_files_and_the_notice_lie_beside_the_model(tmp_path):
    write_terms("gemma", BaseTerms("google/base", "gemma", None, {"LICENSE": b"terms"}), tmp_path)
    assert (tmp_path / "LICENSE").read_bytes() == b"terms"
    assert (tmp_path / "NOTICE").read_text() == notice("gemma")
    assert notice("apache-2.0") == ""
