"""The table of values in the chart's README, made of the comments `# -- …` in values.yaml.

usage: python helm/values_table.py [--check]      --check: only say whether the table is current
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

CHART = Path(__file__).parent / "ctiforge"
MARK = "# -- "
BEGIN, END = "<!-- values -->\n", "<!-- end of values -->\n"


def main(arguments: list[str]) -> int:
    """Write the table into the README, or compare it; 1 when it is not current, 2 for another usage."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    readme = CHART / "README.md"
    before = readme.read_text(encoding="utf-8")
    after = with_table(before, (CHART / "values.yaml").read_text(encoding="utf-8"))
    if not arguments:
        readme.write_text(after, encoding="utf-8")
    elif before != after:
        print(f"{readme} does not show the values as they are; run: python helm/values_table.py", file=sys.stderr)
        return 1
    return 0


def with_table(readme: str, values: str) -> str:
    """The README with its table made anew. Raises ValueError naming a key that has no comment."""
    head, _, rest = readme.partition(BEGIN)
    _, _, tail = rest.partition(END)
    rows = [f"| `{key}` | {text} | `{default}` |" for key, default, text in _rows(values)]
    return "\n".join([head + BEGIN + "| key | what it is | default |", "|---|---|---|", *rows, END + tail])


def _rows(values: str) -> Iterator[tuple[str, str, str]]:
    """(dotted key, default as JSON, comment) of every commented key; what lies below such a key is its default."""
    lines = values.splitlines()

    def below(node: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, str, str]]:
        for name, value in node.value:
            key = prefix + name.value
            above = lines[name.start_mark.line - 1].strip()
            if above.startswith(MARK):
                yield key, _json(value), above.removeprefix(MARK)
            elif isinstance(value, yaml.MappingNode) and value.value:
                yield from below(value, f"{key}.")
            else:
                raise ValueError(f"values.yaml: {key} has no comment: put '{MARK}…' above it")

    return below(yaml.compose(values, Loader=yaml.SafeLoader), "")


def _json(node: yaml.Node) -> str:
    return json.dumps(yaml.SafeLoader("").construct_document(node), ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
