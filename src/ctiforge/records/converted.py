"""`converted.json` beside the safetensors of a base model that brings only a pickle."""

from typing import ClassVar

from ctiforge.records.base import File


class ConvertedBase(File):
    """Where the weights of a converted base model come from."""

    NAME: ClassVar[str] = "converted.json"

    source: str
    """The file that they were read from, as it lay on the machine that converted them."""
    sha256: str
    """SHA-256 of that file, in hex digits."""
    tensors: int
    """How many weights it held."""
