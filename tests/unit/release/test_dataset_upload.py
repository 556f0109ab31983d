"""What of labeled articles is published: quotes with their places, no person, nothing that only the team can reach."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ctiforge.errors import DataError, UsageError
from ctiforge.records.article import ArticleRecord
from ctiforge.records.harvest import HarvestReport
from ctiforge.records.published import PublishedArticle
from ctiforge.records.testset import TestSet
from ctiforge.release.dataset_card import DatasetCard, DatasetOrigin, read_dataset_card
from ctiforge.release.dataset_rows import LONGEST_QUOTE
from ctiforge.release.dataset_upload import DatasetOptions, describe_dataset, lay_out_dataset, read_dataset
from ctiforge.release.publish import HubTarget
from tests import making

TARGET = HubTarget("team/cti", "1.0.0")
TEXT = "They ran whoami /all first.\nThen cmd.exe started net.exe, and again whoami /all."
PEOPLE = ("Zora", "Quill", "Ned")
SECRETS = ("db.team.internal", "hunter2", "/home/zora")


def article(number: int = 1, **changes: Any) -> ArticleRecord:
    whole = {
        "id": f"ticket-of-ned-{number}",
        "url": f"https://vendor.com/posts/{number}",
        "title": "A title",
        "content": TEXT,
        "content_hash": "c" * 64,
        "observables": [
            {"type": "cmdline", "value": "whoami  /ALL", "platform": "Windows"},
            {"type": "process_lineage", "value": "cmd.exe -> net.exe", "platform": "of ned"},
            {"type": "registry", "value": "ask Ned"},
            {"type": "ned's type", "value": "whoami"},
        ],
        "labelled_types": ["cmdline", "process_lineage", "registry", "services", "ned's type"],
        "type_labels": {
            "cmdline": {"by": "person", "name": "Zora Quill", "why": "found"},
            "registry": {"by": "model", "name": "a-model", "why": "found", "seen": [[0, 27]]},
        },
        "annotator": "Zora Quill, Ned",
        "labelled_by": "human",
        "tags": {"by": "Ned"},
    }
    return ArticleRecord.model_validate(whole | changes)


def harvest(**changes: Any) -> HarvestReport:
    whole = making.harvest(
        excluded={"no content": 10, "in test set ned-1@2, or near to it": 3, "in test set other@1, or near to it": 1},
        files_set_aside={"/home/zora/results.json": "no JSON"},
        labelers={"person Zora Quill": 4},
        label_conflicts=["ticket-of-ned-1: cmdline"],
        least_agreement={"ticket-of-ned-1": 0.5},
        unlabelled={"cmdline: db.team.internal did not answer hunter2": 3},
        items_set_aside={"item is a string": 2},
    )
    return HarvestReport.model_validate(whole | changes)


def lay_out(folder: Path, articles: Iterable[ArticleRecord], **changes: Any) -> DatasetCard:
    options = DatasetOptions(**{name: each for name, each in changes.items() if name in vars(DatasetOptions())})
    target = replace(TARGET, **{name: each for name, each in changes.items() if name not in vars(DatasetOptions())})
    return lay_out_dataset(target, DatasetOrigin("0" * 64, harvest()), {"train": articles}, options, folder)


def rows(folder: Path, split: str = "train") -> list[PublishedArticle]:
    return [PublishedArticle.model_validate_json(line) for line in (folder / f"{split}.jsonl").read_text().splitlines()]


def test_each_item_is_a_quote_at_its_places(tmp_path: Path) -> None:
    lay_out(tmp_path, [article()])
    (row,) = rows(tmp_path)
    assert row.sha256 == hashlib.sha256(TEXT.encode()).hexdigest()
    command, lineage = row.items
    # as the article writes it, not as it was labeled
    assert (command.value, command.platform) == ("whoami /all", "Windows")
    assert [TEXT[place.start : place.end] for place in command.places] == ["whoami /all"] * 2
    assert (lineage.value, lineage.platform) == ("cmd.exe -> net.exe", None)
    assert TEXT[lineage.places[0].start : lineage.places[0].end] == "cmd.exe started net.exe"


def test_what_was_looked_for_is_told_with_what_is_missing(tmp_path: Path) -> None:
    card = lay_out(tmp_path, [article()])
    labels = {each.type: each for each in rows(tmp_path)[0].labels}
    assert list(labels) == ["cmdline", "process_lineage", "registry", "services"]
    assert {name: each.by for name, each in labels.items()} == dict.fromkeys(labels, "person") | {"registry": "model"}
    assert labels["registry"].unplaced == 1
    assert [(each.start, each.end) for each in labels["registry"].seen] == [(0, 27)]
    assert card.counts.items == {"cmdline": 1, "process_lineage": 1}


def test_no_person_and_nothing_of_the_teams_machines_is_published(tmp_path: Path) -> None:
    articles = [article(), article(2, url="https://zora:hunter2@vendor.com/2?user=ned&p=7#quill")]
    card = lay_out(tmp_path, [*articles, article(3, url="https://vendor.com/by/zora-quill/3")])
    said = "\n".join(describe_dataset(card)) + "".join(each.read_text() for each in tmp_path.iterdir())
    for word in (*PEOPLE, *SECRETS):
        assert not re.search(rf"\b{re.escape(word)}\b", said, re.IGNORECASE), word
    # and no text either
    assert "They ran" not in said
    assert "A title" not in said
    assert [row.url for row in rows(tmp_path)] == ["https://vendor.com/posts/1", "https://vendor.com/2?p=7"]
    assert card.counts.left_out == {"the address names a person who labeled": 1}
    assert card.counts.shortened == 1
    assert "Who they were is not said." in card.render()


def test_an_address_is_counted_where_it_is_shortened_or_could_hold_a_key(tmp_path: Path) -> None:
    urls = ("https://vendor.com/a?view=x", "https://vendor.com/share/1", "https://vendor.com/at/https://wiki.corp/1")
    card = lay_out(tmp_path, [article(n, url=url) for n, url in enumerate(urls)])
    assert card.counts.left_out == {"the address could hold a key or another address": 2}
    assert "of which a part is left out, so that they may lead elsewhere: 1" in "\n".join(describe_dataset(card))
    assert "(1 is shortened, and may lead elsewhere)" in card.render()


def test_a_labeler_whom_published_words_name_is_warned_of(tmp_path: Path) -> None:
    named = article(title="By Zora Quill")
    card = lay_out(tmp_path / "texts", [named, article(2)], texts=True, license="cc-by-4.0")
    (warning,) = [line for line in describe_dataset(card) if line.startswith("warning")]
    assert "titles, texts or quotes of 1 articles hold the name of somebody who labeled them" in warning
    assert "Who they were is not said, but 1 of the articles names somebody who labeled it." in card.render()
    assert lay_out(tmp_path / "none", [named]).counts.naming == 0
    quoted = article(
        content="It ran dir C:/Users/zquill now.", observables=[{"type": "cmdline", "value": "dir C:/Users/zquill"}]
    )
    assert lay_out(tmp_path / "quote", [quoted]).counts.naming == 1


def test_an_article_that_not_everybody_can_open_is_left_out_with_its_items(tmp_path: Path) -> None:
    articles = [
        article(),
        article(2, url=None),
        article(3, url="https://wiki.corp/3"),
        article(4, url="https://a.b.io"),
    ]
    card = lay_out(tmp_path, articles, leave_out=("b.io",))
    assert len(rows(tmp_path)) == 1
    assert card.counts.left_out == {"no public address": 2, "--leave-out": 1}
    assert "no public address 2, --leave-out 1" in card.render()
    with pytest.raises(DataError, match=r"no article can be published \(no public address: 2\): without texts"):
        lay_out(tmp_path / "more", articles[1:3])


def test_with_texts_what_is_licensed_is_whole(tmp_path: Path) -> None:
    long = f"They ran {'a' * LONGEST_QUOTE}.exe /x and left."
    value = long[9:-10]
    articles = [
        article(),
        article(2, url=None, content=long, observables=[{"type": "cmdline", "value": value}], title="T"),
    ]
    lay_out(tmp_path, articles, texts=True, license="cc-by-4.0")
    first, second = rows(tmp_path)
    assert (first.title, first.text) == ("A title", TEXT)
    assert (second.url, second.text, second.items[0].value) == (None, long, value)
    card = lay_out(tmp_path / "without", [articles[1].model_copy(update={"url": "https://vendor.com/2"})])
    (item,) = rows(tmp_path / "without")[0].items
    assert item.value is None
    assert long[item.places[0].start : item.places[0].end] == value
    assert "1 value is too long to be quoted" in card.render()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"texts": True}, "--with-texts passes articles on: name the license"),
        ({"texts": True, "license": "unknown"}, "--with-texts passes articles on"),
        ({"texts": True, "license": "other"}, "--with-texts passes articles on"),
        ({"license": "banana", "public": True}, "--license banana is none that the Hub knows"),
        ({"public": True}, "--public: name the license of the labels"),
        ({"leave_out": ("https://wiki.team.com",)}, "names no host: give it as it stands in addresses"),
        ({"languages": ("English",)}, "--language English is no code"),
    ],
)
def test_what_is_asked_for_is_looked_at_first(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        lay_out(tmp_path / "out", [article()], **changes)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["demo", "demo-os"])
def test_nothing_of_the_demo_is_published(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"is of the demo \(demo.invalid\)"):
        lay_out(tmp_path, [article(url="https://demo.invalid/1")], texts=True, license="mit")
    with pytest.raises(UsageError, match=f"{name}@1 is of the demo"):
        lay_out_dataset(TARGET, origin_of_test_set(name), {"test": [article()]}, DatasetOptions(), tmp_path)


def test_the_metadata_are_those_that_the_hub_and_datasets_read(tmp_path: Path) -> None:
    card = lay_out(tmp_path, [article(), article(2, os_label="Linux")], license="cc-by-4.0", languages=("en",))
    metadata = yaml.safe_load((tmp_path / "README.md").read_text().split("---")[1])
    assert metadata["license"] == "cc-by-4.0"
    assert metadata["language"] == ["en"]
    assert metadata["size_categories"] == ["n<1K"]
    assert metadata["task_categories"] == ["token-classification", "text-classification"]
    assert metadata["annotations_creators"] == ["expert-generated", "machine-generated"]
    assert metadata["configs"][0]["data_files"] == [{"split": "train", "path": "train.jsonl"}]
    info = metadata["dataset_info"]
    size = (tmp_path / "train.jsonl").stat().st_size
    assert info["splits"] == [{"name": "train", "num_bytes": size, "num_examples": 2}]
    line = json.loads((tmp_path / "train.jsonl").read_text().splitlines()[0])
    assert_described(line, info["features"])
    assert read_dataset_card(card.render(), "1.0.0").figures == {"train": 2}


def assert_described(value: dict[str, Any], features: list[dict[str, Any]]) -> None:
    """Each key of a line is declared, in its order and with its type: a column of nulls says none itself."""
    assert list(value) == [each["name"] for each in features]
    for each in features:
        found = value[each["name"]]
        if "list" in each:
            for inner in found:
                assert_described(inner, each["list"])
        else:
            assert found is None or type(found) is {"string": str, "int64": int}[each["dtype"]]


def test_the_card_says_how_it_was_made_and_what_it_lacks(tmp_path: Path) -> None:
    text = lay_out(tmp_path, [article()]).render()
    assert list(re.findall(r"^## (.*)", text, re.MULTILINE)) == [
        *("How it was made", "Splits", "Types", "Fields", "Use", "Known limits", "Sources", "Changes", "License"),
    ]
    assert "ctiforge read 60 articles and kept 50, 10 of them without any item." in text
    assert "Articles that were left out: no content 10, in a test set, or near to it 4." in text
    assert "Results that could not be read: item is a string 2." in text
    assert "| `registry` | 1 | 0 | 0 | 1 |" in text
    assert "1 label is a model's" in text
    assert "Nobody said which languages" in text
    assert "None is named: ask the owner" in text
    for leftover in ("{{", "{%", "None\n", "\n\n\n"):
        assert leftover not in text.replace("\n\n\ndef", "")
    for snippet in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        compile(snippet, "snippet", "exec")


def test_the_same_articles_give_the_same_files_and_another_version_says_what_changed(tmp_path: Path) -> None:
    before = lay_out(tmp_path / "one", [article()])
    lay_out(tmp_path / "again", [article()])
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()
    card = lay_out(tmp_path / "two", [article(), article(2)], version="1.1.0", author="A Team")
    assert "first published version" in card.render()
    text = card.after(card.read(before.render(), "1.0.0")).render()
    assert "Against version 1.0.0:" in text
    assert "| `train` | 1 | 2 | +1 |" in text
    assert "author = {A Team}" in text
    assert "holds no numbers" in card.after(card.read("by hand", "1.0.0")).render()
    with pytest.raises(DataError, match="does not hold the numbers"):
        card.check(before.render())


def origin_of_test_set(name: str) -> DatasetOrigin:
    found = TestSet(
        name=name, version=1, annotator="Zora Quill", articles=1, labelled_types={}, sha256="5" * 64, note="of Ned"
    )
    return DatasetOrigin(found.sha256, test_set=found)


def test_a_test_set_is_one_split_and_names_nobody(tmp_path: Path) -> None:
    lay_out_dataset(TARGET, origin_of_test_set("analysts"), {"test": [article()]}, DatasetOptions(), tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "It is version 1 of the test set `analysts`" in text
    assert "do not train on it" in text
    assert not re.search("zora|quill|of ned", text, re.IGNORECASE)
    assert len(rows(tmp_path, "test")) == 1


def write_harvest(folder: Path, articles: Iterable[ArticleRecord]) -> Path:
    folder.mkdir()
    harvest().write(folder)
    (folder / "records.jsonl").write_text("".join(each.model_dump_json() + "\n" for each in articles))
    return folder


def test_training_data_keep_their_validation_articles_apart(tmp_path: Path) -> None:
    folder = tmp_path / "formatted"
    folder.mkdir()
    (folder / "format.json").write_text(json.dumps(making.formatted()))
    (folder / "articles.jsonl").write_text("".join(article(n).model_dump_json() + "\n" for n in (1, 2, 3)))
    held_out = making.example(article_id="ticket-of-ned-2")
    (folder / "validation.jsonl").write_text(json.dumps(held_out) + "\n")
    origin, splits = read_dataset(str(folder), tmp_path)
    card = lay_out_dataset(TARGET, origin, splits, DatasetOptions(), tmp_path / "out")
    assert [row.url for row in rows(tmp_path / "out", "validation")] == ["https://vendor.com/posts/2"]
    assert {name: each.articles for name, each in card.counts.splits.items()} == {"train": 2, "validation": 1}
    assert "1 article that repeats one of validation or of a test set was removed" in card.render()
    assert "the report of the harvest is not kept" in card.render()
    assert card.outdated(["train.jsonl", "test.jsonl", "NOTES.md"], tmp_path / "out") == ["test.jsonl"]


def test_a_harvest_is_read_and_anything_else_is_refused(tmp_path: Path) -> None:
    folder = write_harvest(tmp_path / "harvest", [article()])
    origin, splits = read_dataset(str(folder), tmp_path)
    assert origin.what == "harvest"
    assert [each.id for each in splits["train"]] == ["ticket-of-ned-1"]
    (folder / "report.json").unlink()
    with pytest.raises(UsageError, match="is neither a harvest nor training data"):
        read_dataset(str(folder), tmp_path)
