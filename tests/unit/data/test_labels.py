import pytest

from ctiforge.data.labels import (
    Saved,
    changed_texts,
    find_conflicts,
    label_key,
    load_label,
    merge_labels,
    read_labels,
    save_label,
    write_label,
)
from ctiforge.errors import StoreError
from ctiforge.store.objects import open_store
from tests.labels import commands, human_label

TEXT = "They ran whoami and then net group."


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


def values(label) -> dict[str, list[str]]:
    return {t: [o.value for o in label.article.observables if o.type == t] for t in label.article.labelled_types}


def test_the_same_label_again_changes_nothing(store) -> None:
    label = human_label(TEXT, {"cmdline": ["whoami"]})

    assert [save_label(store, label), save_label(store, label)] == [Saved.NEW, Saved.KNOWN]
    assert list(read_labels(store)) == [label]


def test_a_key_shows_no_name_and_knows_a_person_in_any_spelling(store) -> None:
    save_label(store, human_label(TEXT, {"cmdline": []}, by="Ann Lee"))

    assert save_label(store, human_label(TEXT, {"cmdline": []}, by=" ann LEE ")) is not Saved.NEW
    assert all("ann" not in info.key.casefold() for info in store.list("human-labels/"))
    assert label_key("h", "ann") != label_key("h", "bob")


def test_a_type_that_was_looked_for_again_replaces_what_was_found_of_it_alone(store) -> None:
    save_label(store, human_label(TEXT, {"cmdline": ["whoami"], "registry": ["HKLM\\A"]}))
    save_label(store, human_label(TEXT, {"cmdline": ["net group"]}))

    assert values(next(read_labels(store))) == {"cmdline": ["net group"], "registry": ["HKLM\\A"]}


def test_a_single_item_is_added_to_what_was_found_and_stays_single_where_nobody_looked() -> None:
    old = human_label(TEXT, {"cmdline": ["whoami"]})
    added = merge_labels(old, human_label(TEXT, positives=commands("net group", "WHOAMI")))
    alone = merge_labels(human_label(TEXT, {"registry": []}), human_label(TEXT, positives=commands("whoami")))

    assert values(added) == {"cmdline": ["whoami", "net group"]}
    assert added.positives == ()
    assert (values(alone), alone.positives) == ({"registry": []}, commands("whoami"))


def test_a_single_item_of_before_gives_way_to_all_of_its_type() -> None:
    old = human_label(TEXT, positives=commands("whoami"))

    merged = merge_labels(old, human_label(TEXT, {"cmdline": ["net group"]}))

    assert (values(merged), merged.positives) == ({"cmdline": ["net group"]}, ())


def test_what_is_found_after_all_is_no_longer_refused() -> None:
    old = human_label(TEXT, {"cmdline": []}, rejected=commands("whoami", "net group"))

    assert merge_labels(old, human_label(TEXT, {"cmdline": ["whoami"]})).rejected == commands("net group")


def test_a_label_that_another_wrote_meanwhile_is_not_overwritten(store) -> None:
    label = human_label(TEXT, {"cmdline": ["whoami"]})
    assert write_label(store, label, None)
    _, tag = load_label(store, label.article.content_hash, "ann")

    assert write_label(store, human_label(TEXT, {"cmdline": []}), tag)
    assert not write_label(store, label, tag)
    assert not write_label(store, label, None)
    assert load_label(store, label.article.content_hash, "bob") is None


def test_a_damaged_label_is_named(store) -> None:
    store.write("human-labels/abc/def.json", b"{}")

    with pytest.raises(StoreError, match=r"human-labels/abc/def\.json is damaged"):
        list(read_labels(store))


def test_conflicts_are_of_types_that_both_looked_for_and_of_operating_systems() -> None:
    labels = [
        human_label(TEXT, {"cmdline": ["whoami"], "registry": []}, os_label="Windows"),
        human_label(
            TEXT, {"cmdline": ["WHOAMI"], "registry": ["HKLM\\A"], "services": ["x"]}, by="bob", os_label="Linux"
        ),
        human_label("Another text.", {"registry": ["HKLM\\B"]}, by="bob", id_="2"),
    ]

    assert find_conflicts(labels) == ["1: registry", "1: os_label"]


def test_conflicts_of_many_people_are_each_told_once() -> None:
    labels = [human_label(TEXT, {"cmdline": [value]}, by=str(n)) for n, value in enumerate(["a", "a", "b", "c"])]

    assert find_conflicts(labels) == ["1: cmdline"]


def test_a_page_with_another_text_than_before_is_told() -> None:
    known = [human_label(TEXT, {"cmdline": []}, url="https://x.invalid/a?utm_source=b")]
    new = [
        human_label("A changed text.", {"cmdline": []}, url="https://x.invalid/a", id_="7"),
        human_label(TEXT, {"cmdline": []}, url="https://x.invalid/a", id_="8"),
        human_label("No page.", {"cmdline": []}, id_="9"),
    ]

    assert changed_texts(new, known) == ["7"]


def test_a_labelers_answers_in_the_same_store_are_no_labels_of_people(store) -> None:
    store.write("labels/a-model/0123.json", b'{"label": "Windows"}')

    assert list(read_labels(store)) == []
