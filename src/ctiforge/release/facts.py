"""What a GGUF says of where it comes from, by the keys that llama.cpp and LM Studio read."""

from ctiforge.release.names import is_hub_name, public_name


def origin_facts(base: str | None, license_name: str | None, content: str, version: int | None) -> dict[str, str | int]:
    """Write a model's origin as metadata of a GGUF.

    Args:
        base: What it was trained from, a hub name with its commit after an `@`, or a folder; None: it is a base itself.
        license_name: Of the weights, as the Hub names it; None where nobody knows it.
        content: The hash of the source's files, or its commit.
        version: Its version in the registry; None: it is none of there.

    Returns:
        Key and value, in the order of the file; of a folder only its last part is told.
    """
    facts: dict[str, str | int] = {"ctiforge.content": content}
    if license_name:
        facts["general.license"] = license_name
    if version is not None:
        facts["general.version"] = str(version)
    if base:
        name, _, commit = base.partition("@")
        facts |= {"general.base_model.count": 1, "general.base_model.0.name": public_name(name).rpartition("/")[2]}
        if is_hub_name(name) and "/" in name:
            facts["general.base_model.0.organization"] = name.partition("/")[0]
            facts["general.base_model.0.repo_url"] = f"https://huggingface.co/{name}"
        if commit:
            facts["general.base_model.0.version"] = commit
    return facts
