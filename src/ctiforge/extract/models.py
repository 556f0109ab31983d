"""What an Extract Agent's model is called: in a fingerprint, in an evaluation, and where it is exported."""

from pathlib import Path
from tempfile import TemporaryDirectory

import ctiforge
from ctiforge.errors import DataError
from ctiforge.records.model_note import AgentNote
from ctiforge.store.artifacts import fetch_named, find_input
from ctiforge.store.fingerprint import SHORT
from ctiforge.store.hub import split_name
from ctiforge.training.encoding import model_input

REGEX = "regex"
"""The name of the rules that stand in the place of a model."""


def find_model(model: str) -> tuple[dict[str, str], dict[str, str]]:
    """Say how a model that is evaluated enters a fingerprint.

    Args:
        model: A folder, artifact or hub name; `demo`, or `regex` for the rules.

    Returns:
        Inputs, by content, and parameters, by name; one of them is empty.
    """
    return ({}, {"model_name": model}) if model == REGEX else model_input(model)


def model_version(model: str, inputs: dict[str, str]) -> str:
    """Give the hash of the model's files; this package's version for the rules, the commit of a hub model.

    Args:
        model: As in `find_model`.
        inputs: What `find_model` gave for it.

    Returns:
        12 hex digits of the hash or commit, or a version.
    """
    if model == REGEX:
        return ctiforge.__version__
    name, commit = split_name(model)
    return find_input(inputs["model"]).content[:SHORT] if inputs else (commit or name)[:SHORT]


def trained_name(model: str, inputs: dict[str, str]) -> str:
    """Find the name that a model was trained under.

    Args:
        model: As in `find_model`.
        inputs: What `find_model` gave for it.

    Returns:
        The name; that of its folder or on the hub where nothing describes it.
    """
    for file in (AgentNote.NAME, f"model/{AgentNote.NAME}") if inputs else ():
        with TemporaryDirectory() as scratch:
            try:
                path = fetch_named(inputs["model"], file, Path(scratch))
            except DataError:
                # it is not described there
                continue
            return AgentNote.load(path).name
    return Path(split_name(model)[0].rstrip("/")).name
