import pytest

from ctiforge.demo.articles import DemoSizes, make_corpus
from ctiforge.demo.sentences import extract_texts
from ctiforge.observables.locate import Locator
from ctiforge.training.encoding import count_tokens, load_tokenizer

SIZES = DemoSizes(training=120, training_long=1, test_seen=40, test_unseen=20, test_long=2)


@pytest.fixture(scope="module")
def corpus():
    return make_corpus(3, SIZES)


def test_a_seed_gives_the_same_corpus_and_another_gives_another(corpus):
    assert make_corpus(3, SIZES) == corpus
    assert make_corpus(4, SIZES) != corpus


def test_test_values_never_occur_in_training(corpus):
    training_text = "\n".join(record.content for record in corpus.training)
    assert not [item.value for record in corpus.test for item in record.observables if item.value in training_text]


def test_held_out_styles_are_in_the_test_set_alone(corpus):
    held_out = {style.name for style in extract_texts().held_out}
    assert not {record.tags["report"] for record in corpus.training} & held_out
    assert {r.tags["report"] for r in corpus.test if r.tags["style"] == "unseen"} == held_out
    assert {record.tags["report"] for record in corpus.training} == {style.name for style in extract_texts().seen}


def test_every_answer_stands_in_its_article_as_it_is_written(corpus):
    for record in corpus.training + corpus.test:
        locator = Locator(record.content)
        for item in record.observables:
            found = locator.locate(item.type, item.value)
            assert found, (record.id, item)
            assert locator.as_written(item.type, found[0]) == item.value


def test_long_articles_have_8000_tokens_and_their_items_at_the_end(corpus):
    tokenizer = load_tokenizer("demo")
    for record in corpus.test:
        if record.tags["length"] != "long":
            continue
        assert count_tokens(tokenizer, [record.content])[0] >= 8_000
        locator = Locator(record.content)
        starts = [locator.locate(item.type, item.value)[0].start for item in record.observables]
        assert all(start > len(record.content) * 0.7 for start in starts)


def test_there_are_articles_without_items_obfuscation_several_lines_and_defanged_domains(corpus):
    values = [item.value for record in corpus.training for item in record.observables]
    assert any(not record.observables for record in corpus.training)
    assert any("^" in value for value in values)
    assert any("\n" in value for value in values)
    assert any("[.]" in value for value in values)
