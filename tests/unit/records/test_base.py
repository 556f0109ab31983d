"""How a file of records is written and read: strictly, by its number, and with a line for whoever cannot go on."""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

import jsonschema
import pytest
from pydantic import BaseModel, ValidationError, create_model

from ctiforge.errors import DataError
from ctiforge.records.base import File, Record, SchemaError, Upgrade, kind_of, number_of, read_lines
from ctiforge.records.training import CurvePoint, Training
from tests.kinds import kinds
from tests.making import training

SOURCE = "s3://bucket/note.json"


class Part(Record):
    name: str
    size: int = 0


class Note(File):
    """A file in its third schema: `title` was `name` before 2, and `parts` were counted before 3."""

    NAME: ClassVar[str] = "note.json"
    SCHEMA: ClassVar[int] = 3
    OLDEST: ClassVar[int] = 1
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {
        1: lambda old: {**{key: each for key, each in old.items() if key != "name"}, "title": old["name"]},
        2: lambda old: {**old, "parts": [{"name": str(number)} for number in range(old["parts"])]},
    }

    title: str
    parts: tuple[Part, ...] = ()
    share: float | None = None


class First(File):
    """A file that had no number once, and has not changed since."""

    NAME: ClassVar[str] = "first.json"

    title: str


class Folder(File):
    """A file with others inside."""

    NAME: ClassVar[str] = "folder.json"

    first: Note
    others: dict[str, tuple[Note, ...]]


def text_of(**fields: Any) -> str:
    return json.dumps({"schema": 3, "title": "t", **fields})


def told(text: str | bytes, kind: type[File] = Note) -> str:
    """What is said of content that cannot be read: one line, which names the source."""
    with pytest.raises(DataError) as raised:
        kind.parse(text, SOURCE)
    said = str(raised.value)
    assert said.startswith(SOURCE)
    assert "\n" not in said
    return said


def test_a_key_that_the_model_does_not_have_is_an_error_when_it_is_written() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Note(title="t", tilte="t")  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="Extra inputs"):
        Part(name="n", nmae="n")  # type: ignore[call-arg]


def test_keys_that_the_model_does_not_have_are_passed_over_when_it_is_read_nested_ones_too() -> None:
    read = Note.parse(text_of(parts=[{"name": "p", "new": {"a": 1}}], new=[1]), SOURCE)
    assert read == Note(title="t", parts=(Part(name="p"),))


def test_so_are_those_of_a_line(tmp_path: Path) -> None:
    (tmp_path / "lines.jsonl").write_text('{"name": "p", "new": 1}\n\n{"name": "q"}\n', encoding="utf-8")
    assert [each.name for each in read_lines(tmp_path / "lines.jsonl", Part)] == ["p", "q"]


def test_a_line_that_is_no_such_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "lines.jsonl").write_text('{"name": "p"}\n\n{"size": 1}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"lines\.jsonl, line 3: name: Field required"):
        list(read_lines(tmp_path / "lines.jsonl", Part))


@pytest.mark.parametrize(
    ("content", "number"),
    [({}, 0), ({"schema": 2}, 2), ({"schema_version": 2}, 2), ({"schema": 3, "schema_version": 2}, 3)],
)  # fmt: skip
def test_a_file_has_the_number_that_it_names_and_0_where_it_names_none(content: dict[str, Any], number: int) -> None:
    assert number_of(content, SOURCE) == number


@pytest.mark.parametrize("number", ["true", "false", "null", "1.5", "3.0", '"3"', "[3]", "{}", "NaN"])
@pytest.mark.parametrize("key", ["schema", "schema_version"])
def test_what_is_no_schema_number_is_told(key: str, number: str) -> None:
    said = "its schema is no whole number; give a file as ctiforge wrote it"
    assert told(f'{{"{key}": {number}, "title": "t"}}') == f"{SOURCE}: {said}"
    inside = json.dumps({"schema": 1, "first": 0, "others": {}}).replace("0", f'{{"{key}": {number}, "title": "t"}}')
    assert told(inside, Folder) == f"{SOURCE}: the note.json in it: {said}"


def test_a_file_of_the_time_before_numbers_is_read_as_it_is() -> None:
    assert First.parse('{"title": "t"}', SOURCE) == First(title="t")


def test_an_older_file_is_upgraded_by_each_step_between() -> None:
    oldest = json.dumps({"schema": 1, "name": "t", "parts": 2})
    second = json.dumps({"schema": 2, "title": "t", "parts": 2})
    expected = Note(title="t", parts=(Part(name="0"), Part(name="1")))
    assert Note.parse(oldest, SOURCE) == Note.parse(second, SOURCE) == expected


def test_older_files_inside_another_are_upgraded_each_from_its_own_number() -> None:
    oldest, second = {"schema": 1, "name": "t", "parts": 1}, {"schema": 2, "title": "t", "parts": 1}
    today = Note(title="t", parts=(Part(name="0"),))
    inside = {"first": oldest, "others": {"key": [second, json.loads(today.to_json())]}}
    assert Folder.parse(json.dumps({"schema": 1, **inside}), SOURCE) == Folder(
        first=today, others={"key": (today, today)}
    )


@pytest.mark.parametrize(
    ("inside", "says"),
    [
        ({"schema": 4, "title": "t"}, "s3://bucket/note.json: the note.json in it follows schema 4 of note.json"),
        ({"name": "t"}, "s3://bucket/note.json: the note.json in it follows schema 0 of note.json"),
        (
            {"schema": 1},
            "s3://bucket/note.json: the note.json in it is no note.json of ctiforge: it says schema 1, and",
        ),
        ({"schema": 3}, "s3://bucket/note.json is no folder.json of ctiforge: first.title: Field required"),
        ([], "s3://bucket/note.json is no folder.json of ctiforge: first: "),
    ],
)
def test_a_file_inside_another_that_cannot_be_read_is_told(inside: object, says: str) -> None:
    assert told(json.dumps({"schema": 1, "first": inside, "others": {}}), Folder).startswith(says)


def test_a_newer_file_is_refused_in_a_line_with_both_numbers() -> None:
    with pytest.raises(SchemaError):
        Note.parse(text_of(schema=4), SOURCE)
    said = told(text_of(schema=4))
    assert "follows schema 4 of note.json, this ctiforge reads up to 3" in said
    assert "use the ctiforge that wrote it, or a newer one" in said


def test_a_file_that_is_too_old_is_refused_in_a_line_with_both_numbers() -> None:
    with pytest.raises(SchemaError):
        Note.parse('{"name": "t"}', SOURCE)
    said = told('{"name": "t"}')
    assert "follows schema 0 of note.json" in said
    assert "from 1 on" in said
    assert "make it anew with this ctiforge" in said


@pytest.mark.parametrize("text", ["", "{", "\x00", b"\xff\xfe{", "[" * 100_000, '{"a":' * 100_000])
def test_what_is_no_json_is_told(text: str | bytes) -> None:
    assert "is no note.json of ctiforge: it is not JSON" in told(text)


@pytest.mark.parametrize("text", ["[]", "null", "7", '"text"'])
def test_what_is_no_object_is_told(text: str) -> None:
    assert "it is not a JSON object" in told(text)


def test_a_field_that_is_missing_or_wrong_is_named() -> None:
    assert told('{"schema": 3}').endswith("title: Field required")
    assert "parts.1.name: " in told(text_of(parts=[{"name": "p"}, {"name": 1}]))


@pytest.mark.parametrize("text", ['{"schema": 3, "title": "\\ud800"}', '{"schema": 3, "title": "t", "\\udfff": 1}'])
def test_half_a_character_is_told(text: str) -> None:
    assert "is no note.json of ctiforge: the file: Invalid JSON" in told(text)


@pytest.mark.parametrize("depth", [300, 900, 5_000])
def test_what_is_nested_without_end_is_told_also_below_a_key_that_nobody_reads(depth: int) -> None:
    assert "is no note.json of ctiforge: " in told(f'{{"schema": 3, "title": "t", "x": {"[" * depth}{"]" * depth}}}')


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_read_and_written_as_none(number: str) -> None:
    read = Note.parse(f'{{"schema": 3, "title": "t", "share": {number}}}', SOURCE)
    assert read.share is not None
    assert not math.isfinite(read.share)
    assert Note.parse(read.to_json(), SOURCE).share is None


@pytest.mark.parametrize("old", ['{"schema": 2, "title": "t", "parts": "x"}', '{"schema": 1}'])
def test_an_older_file_that_its_upgrade_cannot_take_is_told(old: str) -> None:
    assert re.search(r"is no note\.json of ctiforge: it says schema \d, and holds none", told(old))


def test_the_number_stands_first_in_what_is_written(tmp_path: Path) -> None:
    path = Note(title="t").write(tmp_path)
    assert path == tmp_path / "note.json"
    assert list(json.loads(path.read_text(encoding="utf-8"))) == ["schema", "title", "parts", "share"]
    assert path.read_bytes().endswith(b"}\n")
    assert Note.load(tmp_path) == Note.load(path) == Note(title="t")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^note\.json is missing in "):
        Note.load(tmp_path)


def test_a_kind_is_read_where_there_is_one() -> None:
    assert kind_of('{"kind": "classification"}') == "classification"
    assert [kind_of(text) for text in ("{", "[]", "{}", '{"kind": 1}', "[" * 100_000)] == [None] * 5


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_file_reads_what_it_writes(kind: type[File], tmp_path: Path) -> None:
    made = instance(kind)
    written = json.loads(made.to_json())
    assert next(iter(written.items())) == ("schema", kind.SCHEMA)
    assert kind.parse(made.to_json(), SOURCE) == made
    assert kind.parse(made.to_json(), SOURCE).to_json() == made.to_json()
    # a newer ctiforge's keys are passed over, on every floor
    assert kind.parse(json.dumps(with_more(made, written)), SOURCE) == made
    with pytest.raises(SchemaError):
        kind.parse(json.dumps({**written, "schema": kind.SCHEMA + 1}), SOURCE)
    if "<" not in kind.NAME:
        assert kind.load(made.write(tmp_path)) == made


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_file_follows_its_json_schema_and_does_not_without_its_number(kind: type[File]) -> None:
    schema = jsonschema.Draft202012Validator(kind.model_json_schema())
    written = json.loads(instance(kind).to_json())
    schema.validate(written)
    assert not schema.is_valid({**written, "schema": kind.SCHEMA + 1})
    assert not schema.is_valid({name: value for name, value in written.items() if name != "schema"})


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_older_number_of_every_file_has_its_step(kind: type[File]) -> None:
    """A number is either upgraded by a step, or has the keys of the next, which `UPGRADES` then does not name."""
    assert 0 <= kind.OLDEST <= kind.SCHEMA
    assert all(kind.OLDEST <= number < kind.SCHEMA for number in kind.UPGRADES)


def test_a_training_that_came_apart_is_read_like_any_other() -> None:
    curve = (CurvePoint(step=1, loss=0.5), CurvePoint(step=2, loss=math.nan))
    written = Training(**training(validation_curve=curve, best_validation_loss=math.inf)).to_json()
    read = Training.parse(written, SOURCE)
    assert [point.loss for point in read.validation_curve] == [0.5, None]
    assert read.best_validation_loss is None


def with_more(made: Any, written: Any) -> Any:
    """What is written of a record with a further key in it and in each record inside, but not in tables of data."""
    if isinstance(written, list):
        return [with_more(one, other) for one, other in zip(made, written, strict=True)]
    if not isinstance(written, dict):
        return written
    if isinstance(made, dict):
        return {name: with_more(made[name], each) for name, each in written.items()}
    inside = {name: with_more(getattr(made, name, None), each) for name, each in written.items()}
    return {**inside, "of a newer one": [1]}


def instance(kind: type[BaseModel]) -> Any:
    """A record of this kind with something in every field."""
    fields = {name: example(field.annotation) for name, field in kind.model_fields.items()}
    return kind.model_validate(fields)


def example(annotation: Any) -> Any:
    """A value of this type: of several the first that is not None, one of a list, one key of a table."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return example(inner[0])
    if origin in (Union, UnionType):
        return example(next(each for each in inner if each is not NoneType))
    if origin is Literal:
        return inner[0]
    if origin is tuple and inner[-1:] != (Ellipsis,):
        return tuple(example(each) for each in inner)
    if origin in (tuple, list):
        return origin([example(inner[0])])
    if origin is dict:
        return {"key": example(inner[1])}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return instance(annotation)
    if hasattr(annotation, "__dataclass_fields__"):
        made = create_model("Made", it=(annotation, ...)).model_validate(
            {"it": {name: example(each) for name, each in annotation.__annotations__.items()}}
        )
        return made.it  # type: ignore[attr-defined]
    return EXAMPLES[annotation]


EXAMPLES: dict[Any, Any] = {
    str: 'Тext ‮ " \\ \n',
    int: 7,
    float: 0.1,
    bool: True,
    datetime: datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    Any: {"any": [1, None, "x"]},
}
