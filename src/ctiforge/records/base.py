"""What every record is, and how the file that holds one is written and read.

A file says which `schema` it follows. It is written strictly: a key that its model does not have is an
error in our own code. It is read with unknown keys passed over; one with an older number is upgraded step by
step, one with a newer number is refused. Files of the time before they were numbered count as number 0. All of this
holds of a file that is part of another, too.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from ctiforge.errors import DataError

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the content of a file of one schema number into that of the next."""


def is_none(value: Any) -> bool:
    """Tell whether a key is left out of a file: what no older file has, and this one has no value for."""
    return value is None


class SchemaError(DataError):
    """A file follows a schema that this ctiforge does not read."""


AnyRecord = TypeVar("AnyRecord", bound="Record")


class Record(BaseModel):
    """A value that files hold; it does not change once it is made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read_line(cls, line: str | bytes) -> Self:
        """Read one line of a JSON-lines file, unknown keys passed over.

        Args:
            line: The line.

        Returns:
            The record.

        Raises:
            ValidationError: It is none.
        """
        return cls.model_validate_json(line, extra="ignore")


class File(Record):
    """A record that is a file of its own."""

    NAME: ClassVar[str]
    """What the file is called."""
    SCHEMA: ClassVar[int] = 1
    """Rises when an older reader would misread what is written now."""
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {}
    """From a schema number to the next; a number without a step has the keys of the next one."""
    OLDEST: ClassVar[int] = 0
    """The oldest number that can still be upgraded."""

    @model_validator(mode="before")
    @classmethod
    def _upgraded(cls, value: Any, info: ValidationInfo) -> Any:
        """Give what was read without its number and in the keys of today, also where the file is part of another."""
        if not isinstance(value, dict):
            return value
        if isinstance(info.context, _Reading):
            value = _upgrade(cls, value, info.context)
        return {name: each for name, each in value.items() if name != "schema"}

    @model_serializer(mode="wrap")
    def _with_number(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"schema": self.SCHEMA, **serialize(self)}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe what is written, also where a file is part of another: the number is in it."""
        found = handler(core_schema)
        described = handler.resolve_ref_schema(found)
        described["properties"] = {"schema": {"const": cls.SCHEMA}, **described["properties"]}
        described["required"] = ["schema", *described.get("required", [])]
        return found

    def to_json(self) -> str:
        """Serialize the record as the file's content, with its schema number."""
        return self.model_dump_json(indent=1) + "\n"

    def write(self, folder: Path) -> Path:
        """Write the record as a file of its own name.

        Args:
            folder: The folder to write it into; it must exist.

        Returns:
            The file's path.
        """
        path = folder / self.NAME
        path.write_text(self.to_json(), encoding="utf-8")
        return path

    @classmethod
    def parse(cls, text: str | bytes, source: str) -> Self:
        """Read the content of a file.

        Args:
            text: The content.
            source: What names the file in errors: a path, a URI.

        Returns:
            The record, upgraded where the file is older, or one that is part of it.

        Raises:
            SchemaError: It follows a newer schema, or one that is too old.
            DataError: The content is no such record.
        """
        value = _object(text, source, cls.NAME)
        try:
            return cls.model_validate_json(json.dumps(value), extra="ignore", context=_Reading(cls, source))
        except ValidationError as error:
            raise DataError(f"{source} is no {cls.NAME} of ctiforge: {explain(error)}") from None
        except RecursionError:
            raise DataError(_holds_none(cls, source, number_of(value, source))) from None

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a record from this machine.

        Args:
            path: The file, or a folder that holds it under its own name.

        Returns:
            The record, upgraded where the file is older.

        Raises:
            SchemaError: It follows a newer schema, or one that is too old.
            DataError: There is no such file, or it is no such record.
        """
        file = path / cls.NAME if path.is_dir() else path
        try:
            return cls.parse(file.read_bytes(), str(file))
        except FileNotFoundError:
            raise DataError(f"{file.name} is missing in {file.parent}: give a folder that ctiforge wrote") from None


@dataclass(frozen=True)
class _Reading:
    """A file that is being read."""

    kind: type[File]
    source: str

    def name(self, kind: type[File]) -> str:
        """Name it in errors, or the file that is part of it."""
        return self.source if kind is self.kind else f"{self.source}: the {kind.NAME} in it"


def number_of(value: Mapping[str, Any], source: str) -> int:
    """Read the schema number of a file's content.

    Args:
        value: The content.
        source: What names the file in errors.

    Returns:
        The number; 0 where it has none.

    Raises:
        SchemaError: It names something that is no whole number.
    """
    number = value.get("schema", value.get("schema_version", 0))
    if not isinstance(number, int) or isinstance(number, bool):
        raise SchemaError(f"{source}: its schema is no whole number; give a file as ctiforge wrote it")
    return number


def kind_of(text: str | bytes) -> str | None:
    """Read which kind a file says it is, where files of one name are of several kinds.

    Args:
        text: The file's content.

    Returns:
        The value of `kind`; None where it has none or is no JSON object.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    kind = value.get("kind") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else None


def read_lines(path: Path, kind: type[AnyRecord]) -> Iterator[AnyRecord]:
    """Read the records of a JSON-lines file, one after the other; empty lines are skipped.

    Args:
        path: The file, in UTF-8.
        kind: The class of the records.

    Yields:
        The records, in the file's order.

    Raises:
        DataError: A line, which the text names, is no such record.
    """
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield kind.read_line(line)
            except ValidationError as error:
                raise DataError(f"{path}, line {number}: {explain(error, 'the line')}") from None


def explain(error: ValidationError, whole: str = "the file") -> str:
    """Say the first thing that is wrong with a file, and where.

    Args:
        error: What pydantic raised.
        whole: What to call the place where the error is of the whole.

    Returns:
        One line: the key, and what is wrong with it.
    """
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or whole
    return f"{where}: {first['msg']}"


def _upgrade(kind: type[File], value: dict[str, Any], reading: _Reading) -> dict[str, Any]:
    source = reading.name(kind)
    number = number_of(value, source)
    if number > kind.SCHEMA:
        raise SchemaError(
            f"{source} follows schema {number} of {kind.NAME}, this ctiforge reads up to {kind.SCHEMA}: "
            "use the ctiforge that wrote it, or a newer one"
        )
    if number < kind.OLDEST:
        raise SchemaError(
            f"{source} follows schema {number} of {kind.NAME}, which can no longer be read "
            f"(from {kind.OLDEST} on): make it anew with this ctiforge"
        )
    try:
        for step in range(number, kind.SCHEMA):
            value = kind.UPGRADES.get(step, dict)(value)
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
        # a step found something else than files of its number hold
        raise DataError(_holds_none(kind, source, number)) from None
    return value


def _holds_none(kind: type[File], source: str, number: int) -> str:
    return f"{source} is no {kind.NAME} of ctiforge: it says schema {number}, and holds none"


def _object(text: str | bytes, source: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(f"{source} is no {name} of ctiforge: it is not JSON") from None
    if not isinstance(value, dict):
        raise DataError(f"{source} is no {name} of ctiforge: it is not a JSON object")
    return value
