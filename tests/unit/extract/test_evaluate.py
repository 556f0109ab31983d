import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ctiforge.errors import DataError
from ctiforge.extract.answering.extraction import Extraction, Source, Tell, WindowAnswer, WindowSpan
from ctiforge.extract.answering.regex_floor import RegexFloor
from ctiforge.extract.evaluate import (
    evaluate_extractor,
    load_extractor,
    score_record,
    values_seen_in_training,
)
from ctiforge.extract.scoring import LONG_ARTICLE
from ctiforge.records.article import ArticleRecord
from ctiforge.records.evaluation import Evaluation, ModelInfo, TestSetInfo
from ctiforge.records.model_note import AgentNote, AgentUsage, WindowSizes
from ctiforge.records.observable import Observable
from tests import making


def record(
    article_id: str, content: str, values: Sequence[str], labeled: tuple[str, ...] = ("cmdline",)
) -> ArticleRecord:
    return ArticleRecord(
        id=article_id,
        content=content,
        content_hash=article_id,
        observables=tuple(Observable(type="cmdline", value=value) for value in values),
        labelled_types=labeled,
        labelled_by="human",
        annotator="a",
    )


class Brittle:
    """Finds every line as a command, in one of two windows; breaks on articles that say so."""

    name = "brittle"

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...] | None] = []

    def extract(self, text: str, types: Sequence[str] | None = None, *, source_url: str | None = None) -> Extraction:
        self.asked.append(tuple(types) if types else None)
        if "break me" in text:
            raise ValueError("cannot read this\nsecond line")
        items = tuple(Observable(type="cmdline", value=line) for line in text.splitlines())
        window = WindowAnswer(0, len(text), "{}", True, False, False, 1, 100, 10)
        garbled = WindowAnswer(0, len(text), '{"obs', False, False, True, 0, 100, 0)
        return Extraction(items, (window, garbled), seconds=0.5)

    def extract_many(self, sources: Sequence[Source], tell: Tell | None = None) -> Iterator[Extraction]:
        for source in sources:
            yield self.extract(source.text, source.types)
            if tell:
                tell()
                tell()

    def plan(self, source: Source) -> list[WindowSpan]:
        return [(0, len(source.text))] * 2


SOUND = [record(f"sound {number}", "net user", ["net user"]) for number in range(60)]
"""So many that what fails beside them is not much."""


def evaluated(records: list[ArticleRecord], extractor: Brittle | None = None) -> Evaluation:
    return evaluate_extractor(
        extractor or Brittle(),
        records,
        model=ModelInfo(name="m", version="1"),
        test_set=TestSetInfo(name="s", version="1", content_hash="h", articles=0),
    )


def test_an_article_that_breaks_the_extractor_is_counted_and_the_others_are_scored() -> None:
    records = [
        record("1", "net user", ["net user"]),
        record("2", "break me", ["x y"]),
        record("3", "dir /s", ["dir /s"]),
    ]
    evaluation = evaluated(records + SOUND)

    assert evaluation.failed == {"ValueError: cannot read this": 1}
    assert [article.counts["cmdline"].found for article in evaluation.articles[:3]] == [1, 0, 1]
    assert evaluation.articles[1].counts["cmdline"].missed == 1
    assert evaluation.metrics["failed_articles"].value == pytest.approx(1 / 63)
    assert evaluation.metrics["recall"].value == pytest.approx(62 / 63)


def test_an_article_that_failed_has_all_its_windows_and_none_that_can_be_read() -> None:
    evaluation = evaluated([record("1", "break me", []), *SOUND])

    answers = evaluation.articles[0].answers
    assert (answers.windows, answers.failed, answers.json_parsed) == (2, 2, 0)
    assert evaluation.metrics["json_validity"].value == pytest.approx(60 / 122)
    assert evaluation.metrics["zero_clean"].value == 0
    assert evaluation.metrics["zero_false_positives"].value == 1


def test_only_labelled_types_are_asked_for_and_unlabelled_articles_are_left_out() -> None:
    extractor = Brittle()
    evaluation = evaluated([record("1", "net user", ["net user"]), record("2", "dir /s", [], labeled=())], extractor)

    assert extractor.asked == [("cmdline",)]
    assert (evaluation.test_set.articles, evaluation.test_set.unlabelled) == (1, 1)


def test_a_test_file_without_labels_is_refused() -> None:
    with pytest.raises(DataError, match="no type is labeled"):
        evaluated([record("1", "net user", [], labeled=())])
    with pytest.raises(DataError, match="no type is labeled"):
        evaluated([])


def test_windows_are_tallied() -> None:
    answers = evaluated([record("1", "net user", ["net user"])]).articles[0].answers

    assert answers.model_dump() == {
        "windows": 2,
        "json_parsed": 1,
        "schema_valid": 0,
        "stopped_by_length": 1,
        "halved": 0,
        "duplicates": 1,
        "failed": 0,
        "prompt_tokens": 200,
        "answer_tokens": 10,
        "seconds": 0.5,
    }


def test_articles_are_tagged_by_length_unless_they_are_tagged_already() -> None:
    long = record("1", "net user\n" + "x" * LONG_ARTICLE, ["net user"])
    tagged = record("2", "net user", ["net user"]).model_copy(update={"tags": {"length": "long", "style": "seen"}})

    assert score_record(Brittle(), long).tags == {"length": "long"}
    assert score_record(Brittle(), tagged).tags == {"length": "long", "style": "seen"}
    assert score_record(Brittle(), record("3", "net user", [])).tags == {"length": "normal"}


def test_values_of_training_records_are_seen(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_text(record("1", "x", ["NET  user"]).model_dump_json() + "\n")

    assert values_seen_in_training(tmp_path) == {("cmdline", "net user")}
    scored = score_record(
        Brittle(), record("2", "net user\ndir /s", ["net user", "dir /s"]), values_seen_in_training(file)
    )
    assert [item.unseen for item in scored.items] == [False, True]


def test_the_fingerprint_names_model_articles_and_training_values() -> None:
    records = [record("1", "net user", ["net user"])]

    def fingerprint(version: str, content_hash: str, name: str = "m") -> str:
        return evaluate_extractor(
            Brittle(),
            records,
            model=ModelInfo(name=name, version=version),
            test_set=TestSetInfo(name="s", version="1", content_hash=content_hash, articles=0),
        ).fingerprint

    assert fingerprint("1", "h") == fingerprint("1", "h", name="other")
    assert len({fingerprint("1", "h"), fingerprint("2", "h"), fingerprint("1", "i")}) == 3


def test_regex_is_the_rule_floor() -> None:
    assert isinstance(load_extractor("regex", None), RegexFloor)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """What ExtractAgent.load is called with, in place of loading a model."""
    calls: list[tuple[str, dict[str, object]]] = []
    from ctiforge.extract.answering.agent import ExtractAgent

    monkeypatch.setattr(ExtractAgent, "load", lambda model, **options: calls.append((model, options)))
    return calls


def test_a_trained_model_is_loaded_from_its_artifact_under_its_own_name(
    tmp_path: Path, loaded: list[tuple[str, dict[str, object]]]
) -> None:
    (tmp_path / "model").mkdir()
    AgentNote(
        name="extract-agent-x-20260101",
        base_model="demo",
        usage=AgentUsage("messages", "short-v1", ("cmdline",), WindowSizes(256, 90, 40)),
    ).write(tmp_path / "model")
    load_extractor("s3://b/artifacts/train_extract/abc", tmp_path, batch_size=4)
    load_extractor("mistralai/Mistral-7B-Instruct-v0.2", None)
    load_extractor("models/mine/", tmp_path / "model" / "..")
    (tmp_path / "model" / "ctiforge.json").unlink()
    load_extractor("models/mine/", tmp_path)

    assert [(model, options["name"]) for model, options in loaded] == [
        (str(tmp_path / "model"), "extract-agent-x-20260101"),
        ("mistralai/Mistral-7B-Instruct-v0.2", "mistralai/Mistral-7B-Instruct-v0.2"),
        (str(tmp_path / "model" / ".." / "model"), "extract-agent-x-20260101"),
        (str(tmp_path / "model"), "mine"),
    ]
    assert loaded[0][1]["batch_size"] == 4


def test_an_untrained_model_is_asked_as_the_prepared_data_was_cut(
    tmp_path: Path, loaded: list[tuple[str, dict[str, object]]]
) -> None:
    sizes = {"max_length": 256, "window_tokens": 90, "overlap_tokens": 40}
    (tmp_path / "format.json").write_text(json.dumps(making.formatted(sizes=sizes)))
    load_extractor("demo", tmp_path, prepared=tmp_path)

    usage = loaded[0][1]["usage"]
    assert isinstance(usage, AgentUsage)
    assert (usage.prompt_version, usage.sizes.window_tokens) == ("short-v1", 90)
    assert loaded[0][1]["name"] == "demo"
