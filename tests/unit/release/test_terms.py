"""On what terms a model may be published."""

import pytest

from ctiforge.errors import UsageError
from ctiforge.release.terms import BaseTerms, check_name, choose_license, doubt_license, notice, write_terms


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


@pytest.mark.parametrize(
    ("base", "binding"),
    [
        (BaseTerms("x", "other", "gemma2"), "gemma"),
        (BaseTerms("x", "unknown", "gemma2"), "gemma"),
        (BaseTerms("x", "Llama3.1"), "llama3.1"),
        (BaseTerms("meta-llama/Llama-3.2-1B"), "llama3.2"),
        (BaseTerms("meta-llama/Meta-Llama-3-8B", "other"), "llama3"),
        (BaseTerms("meta-llama/Llama-2-7b-hf"), "llama2"),
    ],
)
def test_a_base_that_says_nothing_or_says_it_in_capitals_binds_as_well(base, binding):
    assert choose_license(None, base) == binding
    with pytest.raises(UsageError, match="leave --license out"):
        choose_license("mit", base)


def test_who_names_no_license_of_the_hub_is_told_so():
    assert choose_license("other", BaseTerms("x", "other")) == "other"
    with pytest.raises(UsageError, match="--license foo is none that the Hub knows"):
        choose_license("foo", BaseTerms("x", "mit"))
    with pytest.raises(UsageError, match="nobody names the license"):
        choose_license(None, BaseTerms("x", "other"))


@pytest.mark.parametrize(
    "license_name", ["cc-by-nc-4.0", "cc-by-sa-4.0", "gpl-3.0", "bigscience-openrail-m", "openrail"]
)
def test_terms_that_may_hold_for_what_is_made_of_a_base_are_doubted(license_name):
    base = BaseTerms("x", license_name)
    assert f"its base, x, is under {license_name}" in (doubt_license("mit", base) or "")
    assert doubt_license(license_name, base) is None
    assert doubt_license("mit", BaseTerms("x", "apache-2.0")) is None
