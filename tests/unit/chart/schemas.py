"""The schemas of Kubernetes, each read once: `kubernetes_validate` reads them anew for every document."""

import json
from functools import cache

from jsonschema.validators import Draft202012Validator
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource

from tests.unit.chart.rendering import Document


def validate(document: Document, kubernetes: str) -> None:
    """Raise jsonschema's ValidationError where that version of Kubernetes knows a field less, or a value otherwise."""
    _validate(json.dumps(document, sort_keys=True), kubernetes)


@cache
def _validate(text: str, kubernetes: str) -> None:
    # releases have most of their objects in common
    document = json.loads(text)
    group, _, version = document["apiVersion"].rpartition("/")
    name = "-".join(filter(None, [document["kind"].lower(), group.partition(".")[0], version]))
    _validator(name, kubernetes).validate(document)


@cache
def _validator(name: str, kubernetes: str) -> Draft202012Validator:
    schema = _read(name, kubernetes)
    return Draft202012Validator(schema, registry=Resource.from_contents(schema) @ _definitions(kubernetes))


@cache
def _definitions(kubernetes: str) -> Registry:
    return Resource.from_contents(_read("_definitions", kubernetes)) @ Registry()


def _read(name: str, kubernetes: str) -> Document:
    found: Document = schema_contents(f"kubernetes-json-schema/v{kubernetes}.0-local-strict/{name}.json", kubernetes)
    return found
