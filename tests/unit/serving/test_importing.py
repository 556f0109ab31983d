"""A profile from the prompts of the application's own configuration."""

import json

import pytest

from ctiforge.errors import DataError
from ctiforge.serving.importing import import_profile, to_toml
from ctiforge.serving.profiles import load_profile, parse_profile
from ctiforge.serving.recognizing import recognize
from tests.huntable import KEYS, request

HUNTABLE = load_profile("huntable")
SERVICES = {
    "role": 'You look for "services"\\daemons of the Über-OS. You never guess.\nMore.',
    "task": "List them all.\nNow.",
    "json_example": json.dumps({"found_services": [{"value": "x"}], "count": 1}),
    "instructions": "Others look for tasks.",
}


@pytest.mark.parametrize(
    "prompts",
    [
        {"ServicesExtract": SERVICES, "RankAgent": {"prompt": "Rank."}},
        {"ServicesExtract": {"prompt": json.dumps(SERVICES), "instructions": ""}, "RankAgent": {}},
        json.dumps({"ServicesExtract": {"model": "m", "prompt": SERVICES}, "RankAgent": None}),
    ],
)
def test_words_and_key_come_from_the_prompt_however_it_is_kept(prompts: object) -> None:
    found = import_profile(HUNTABLE, "ours", prompts)
    services = found.profile.agent["ServicesExtract"]
    assert services.recognize.system == ('You look for "services"\\daemons of the Über-OS.', "List them all.")
    assert services.recognize.example_key == services.answer.key == "found_services"
    assert found.imported == ("ServicesExtract",)
    assert found.unknown == ("RankAgent",)
    assert found.profile.agent["CmdlineExtract"] == HUNTABLE.agent["CmdlineExtract"]


@pytest.mark.parametrize(
    "prompt",
    ["Find services.", {"prompt": "{broken"}, {"json_example": [1]}, {"role": 7}, [1], {"json_example": {" ": []}}],
)
def test_what_a_prompt_does_not_have_stays(prompt: object) -> None:
    found = import_profile(HUNTABLE, "ours", {"ServicesExtract": prompt})
    assert found.profile.agent["ServicesExtract"] == HUNTABLE.agent["ServicesExtract"]
    assert found.imported == ()


def test_a_long_role_is_cut_between_words_and_its_requests_are_still_known_by_it() -> None:
    role = (
        "You look for services and for nothing else, whatever an article "
        + "goes on to tell about many other things " * 5
    )
    profile = import_profile(HUNTABLE, "ours", {"ServicesExtract": {**SERVICES, "role": role}}).profile
    (first, _) = profile.agent["ServicesExtract"].recognize.system
    assert 150 < len(first) <= 200
    assert role.startswith(f"{first} ")
    user = "Title: x\nURL: y\n\nContent:\nThe text.\n\nTask: List them all.\n\nOutput Format Specification: JSON"
    asked = recognize(profile, [{"role": "system", "content": role}, {"role": "user", "content": user}])
    assert asked is not None
    assert asked.agent == "ServicesExtract"


@pytest.mark.parametrize("prompts", [None, {}, [], "x", {"RankAgent": {"prompt": "Rank."}}, {"ServicesExtract": ""}])
def test_without_a_prompt_of_a_known_agent_there_is_nothing_to_import(prompts: object) -> None:
    with pytest.raises(DataError, match="no prompt of an agent that profile huntable knows"):
        import_profile(HUNTABLE, "ours", prompts)


def test_what_is_written_is_read_as_the_same_profile() -> None:
    odd = import_profile(
        HUNTABLE, 'o"d\x7f', {"ServicesExtract": {**SERVICES, "task": "Zeile\tä \\u0041 𝔘 is here."}}
    ).profile
    assert parse_profile(to_toml(odd), "written") == odd
    assert parse_profile(to_toml(HUNTABLE), "written") == HUNTABLE


def test_an_imported_profile_recognizes_what_the_application_then_asks() -> None:
    profile = import_profile(HUNTABLE, "ours", {"ServicesExtract": SERVICES}).profile
    for agent in KEYS:
        messages = request(agent, "An article.")
        if agent == "ServicesExtract":
            user = messages[1]["content"].replace('"windows_services"', '"found_services"')
            messages = [{"role": "system", "content": SERVICES["role"]}, {"role": "user", "content": user}]
        found = recognize(profile, messages)
        assert found is not None
        assert (found.agent, found.text) == (agent, "An article.")
