"""What a GGUF says of its origin."""

from ctiforge.release.facts import origin_facts


def test_a_base_of_the_hub_is_named_with_organization_and_commit():
    assert origin_facts("team/base@" + "a" * 40, "apache-2.0", "0123456789ab", 3) == {
        "ctiforge.content": "0123456789ab",
        "general.license": "apache-2.0",
        "general.version": "3",
        "general.base_model.count": 1,
        "general.base_model.0.name": "base",
        "general.base_model.0.organization": "team",
        "general.base_model.0.repo_url": "https://huggingface.co/team/base",
        "general.base_model.0.version": "a" * 40,
    }


def test_of_a_path_only_the_last_part_is_told_and_what_is_not_known_is_left_out():
    assert origin_facts("s3://secret-bucket/bases/0123/SmolLM2", None, "abc", None) == {
        "ctiforge.content": "abc",
        "general.base_model.count": 1,
        "general.base_model.0.name": "SmolLM2",
    }
    assert origin_facts(None, None, "abc", None) == {"ctiforge.content": "abc"}
