"""What the agents would be answered about real articles, by what people found in them."""

import json
from pathlib import Path

import pytest

from ctiforge.data.generations import read_result
from ctiforge.extract.answering.extraction import Extraction
from ctiforge.observables.values import normalize
from ctiforge.records.observable import Observable
from ctiforge.serving.answering import ServedModel, agent_answer
from ctiforge.serving.profiles import load_profile
from ctiforge.serving.recognizing import recognize
from tests.huntable import KEYS, request, stored_row

HUNTABLE = load_profile("huntable")
GIVEN_SNIPPETS = ("CmdlineExtract", "ProcTreeExtract")
MODEL = ServedModel("extract", "3")


@pytest.mark.real_data
def test_the_row_of_every_real_article_is_read_as_what_was_found_with_its_paragraphs(real_articles: Path) -> None:
    read_items = evidence = 0
    for line in real_articles.read_text(encoding="utf-8").splitlines():
        article = json.loads(line)
        text, truth = article["content"], article["truth"]
        found = tuple(
            Observable(type=type_, value=each) for type_ in article["labelled_types"] for each in truth[type_]
        )
        answers = {}
        for agent in KEYS:
            asked = recognize(HUNTABLE, request(agent, text, snippets=agent in GIVEN_SNIPPETS))
            assert asked is not None
            assert (asked.agent, asked.text) == (agent, text)
            answers[agent] = agent_answer(HUNTABLE, agent, asked.text, Extraction(found), MODEL)
            for item in json.loads(answers[agent])[KEYS[agent]]:
                assert item["source_evidence"] in text
                assert all(key in item for key in HUNTABLE.agent[agent].fields)
                evidence += 1
        read = {(each.type, normalize(each.type, each.value)) for each in read_result(stored_row(answers)).observables}
        assert read == {(each.type, normalize(each.type, each.value)) for each in found}
        read_items += len(read)
    assert evidence == 140
    assert read_items > 130
