from ctiforge.data.labels import UNNAMED
from ctiforge.labels.label_studio import is_label_studio, read_label_studio

TEXT = "🐍 They ran whoami /all, then cmd.exe started net.exe; HKLM\\Run\\Upd was set."


def span(text: str | None, label: str = "cmdline", id_: str = "a", **value) -> dict:
    at = TEXT.find(text) if text else 0
    # counted as a browser counts, in UTF-16: one more than Python after the snake
    value = {"start": at + 1, "end": at + 1 + len(text or ""), "text": text, "labels": [label]} | value
    return {"id": id_, "from_name": "label", "to_name": "text", "type": "labels", "value": value}


def task(*results, text: str = TEXT, who=1, **changes) -> dict:
    annotation = {"completed_by": who, "result": list(results)} | changes
    return {"id": 5, "data": {"text": text, "url": "https://x.invalid/5"}, "annotations": [annotation]}


def read(*tasks, looked_at=(), annotator=None):
    return read_label_studio(tasks, looked_at, annotator)


def found(read_labels) -> list[tuple[str, str]]:
    return [(o.type, o.value) for each in read_labels.labels for o in (*each.article.observables, *each.positives)]


def test_the_quoted_text_decides_where_offsets_are_not_pythons() -> None:
    labels = read(task(span("whoami /all"), span("HKLM\\Run\\Upd", "Registry Keys")))

    assert found(labels) == [("cmdline", "whoami /all"), ("registry", "HKLM\\Run\\Upd")]
    assert labels.labels[0].annotator == "Label Studio user 1"
    assert (labels.labels[0].article.id, labels.labels[0].article.url) == ("5", "https://x.invalid/5")


def test_a_span_makes_no_type_labeled_unless_it_is_said_that_all_were_looked_for() -> None:
    (single,) = read(task(span("whoami /all"))).labels
    (whole,) = read(task(span("whoami /all")), looked_at=["cmdline", "registry"]).labels

    assert (single.article.labelled_types, len(single.positives)) == ((), 1)
    assert (whole.article.labelled_types, whole.positives) == (("cmdline", "registry"), ())


def test_an_empty_annotation_says_nothing_unless_types_were_looked_for() -> None:
    assert read(task()).labels == []
    assert read(task()).left_out == {"annotations without a label of ours": 1}
    assert read(task(), looked_at=["cmdline"]).labels[0].article.labelled_types == ("cmdline",)


def test_two_spans_that_a_relation_ties_are_a_lineage() -> None:
    ends = [span("cmd.exe", "process_lineage", "p"), span("net.exe", "process_lineage", "c")]
    tie = {"type": "relation", "from_id": "p", "to_id": "c", "direction": "right"}

    assert found(read(task(*ends, tie))) == [("process_lineage", "cmd.exe -> net.exe")]
    assert found(read(task(*ends, tie | {"direction": "left"}))) == [("process_lineage", "net.exe -> cmd.exe")]
    assert (
        read(task(*ends, tie | {"to_id": "gone"})).left_out["relations of which an end is missing, or no process"] == 1
    )


def test_a_relation_of_what_is_no_process_is_no_lineage() -> None:
    ends = [span("HKLM\\Run\\Upd", "registry", "p"), span("net.exe", "Tool", "c")]
    labels = read(task(*ends, {"type": "relation", "from_id": "p", "to_id": "c"}))

    assert found(labels) == [("registry", "HKLM\\Run\\Upd")]
    assert labels.left_out["relations of which an end is missing, or no process"] == 1


def test_a_span_of_several_types_is_one_of_each() -> None:
    labels = read(task(span("whoami /all", labels=["Tool", "cmdline", "hunt_queries", "cmdline"])))

    assert found(labels) == [("cmdline", "whoami /all"), ("hunt_queries", "whoami /all")]


def test_a_chain_of_processes_is_its_pairs() -> None:
    labels = read(task(span("a.exe -> b.exe -> c.exe", "process_lineage"), text="a.exe -> b.exe -> c.exe"))

    assert found(labels) == [("process_lineage", "a.exe -> b.exe"), ("process_lineage", "b.exe -> c.exe")]


def test_a_place_without_a_quote_is_of_the_text_as_it_came() -> None:
    (label,) = read(task(span(None, start=5, end=11), text="\n\n   whoami and more")).labels

    assert [o.value for o in label.positives] == ["whoami"]
    # behind a character that browsers count twice nobody knows what was marked
    assert read(task(span(None, start=12, end=23))).labels == []


def test_a_choice_is_the_operating_system() -> None:
    choice = {"type": "choices", "value": {"choices": ["macos"]}}

    assert read(task(choice)).labels[0].article.os_label == "MacOS"
    several = {"type": "choices", "value": {"choices": ["Linux", "Windows"]}}
    assert read(task(several)).labels[0].article.os_label == "multiple"
    assert read(task(choice, {"value": {"choices": ["Unknown"]}})).labels[0].article.os_label == "MacOS"


def test_an_export_of_another_project_labels_nothing_and_says_so() -> None:
    labels = read(task(span("They", "PER")), task({"type": "choices", "value": {"choices": ["Positive"]}}))

    assert labels.labels == []
    assert labels.left_out == {
        "spans of no type of ours (PER)": 1,
        "choices that are no operating system": 1,
        "annotations without a label of ours": 2,
    }


def test_what_is_odd_is_counted_and_the_rest_is_kept() -> None:
    labels = read(
        "no task",
        {"data": {"image": "/a.png"}, "annotations": []},
        task(span("whoami /all"), was_cancelled=True),
        {"id": 1, "data": {"text": TEXT}, "annotations": [{"completed_by": 1, "result": None}, "no annotation"]},
        task(
            span("not in the text"),
            span(None, start=9, end=99_999),
            span(None, start=-3, end=2),
            span("net.exe", start="/p[1]", startOffset=3),
            {"type": "labels", "value": "none"},
            "no result",
            None,
        ),
    )

    assert found(labels) == [("cmdline", "net.exe")]
    assert labels.left_out == {
        "entries that are no task": 1,
        "tasks without a text": 1,
        "annotations that were skipped": 1,
        "annotations without a result": 2,
        "cmdline: spans that stand nowhere in the text": 3,
    }


def test_tasks_that_nobody_annotated_are_counted() -> None:
    guessed = {"id": 1, "data": {"text": TEXT}, "annotations": [], "predictions": [{"result": [span("net.exe")]}]}

    assert read(guessed, guessed).left_out == {"tasks that nobody annotated": 2}


def test_people_are_named_as_the_export_names_them() -> None:
    who = [
        each.annotator for each in read(*(task(span("whoami /all"), who=w) for w in ({"email": "a@x"}, None))).labels
    ]

    assert who == ["a@x", UNNAMED]
    assert read(task(span("whoami /all"), who=None), annotator="ann").labels[0].annotator == "ann"


def test_lone_surrogates_and_nul_are_text_that_can_be_written() -> None:
    (label,) = read(task(span("run\ud800 me\0"), text="They run\ud800 me\0 now.")).labels

    assert label.to_json().encode()


def test_the_short_form_is_read_too() -> None:
    short = {
        "annotation_id": 3,
        "annotator": 2,
        "id": 8,
        "text": TEXT,
        "label": [span("whoami /all")["value"]],
        "os": "Linux",
    }

    (label,) = read(short).labels
    assert found(read(short)) == [("cmdline", "whoami /all")]
    assert (label.article.id, label.annotator, label.article.os_label) == ("8", "Label Studio user 2", "Linux")
    # a title is nobody's choice
    (several,) = read(short | {"title": "Windows", "os": {"choices": ["Linux", "MacOS"]}}).labels
    assert several.article.os_label == "multiple"
    del short["os"]
    assert read(short | {"title": "Windows"}).labels[0].article.os_label is None


def test_an_export_is_told_from_other_documents() -> None:
    assert is_label_studio([task()])
    assert is_label_studio([None, {"id": 1}, task()])
    assert is_label_studio([{"annotation_id": 3, "annotator": 2, "text": ""}])
    assert not any(map(is_label_studio, ([], {}, [{"id": 1, "content": ""}], ["a"], None)))
