"""The chart as Helm renders it, with values of `values/`."""

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[3] / "helm/ctiforge"
VALUES = Path(__file__).parent / "values"
MATRIX = sorted(path.stem for path in VALUES.glob("*.yaml"))
RELEASE = "demo"
FULL_NAMES = {"fullname": "agent"}
"""Where names begin with something else than the release's."""
NAMESPACE = "intel"
PROGRAMS = (
    "harvest_extract", "format_extract", "check_data", "train_extract", "eval_extract",
    "prepare_os", "train_os_bert", "baselines_os", "eval_os_bert", "compare", "promote", "export_model",
)  # fmt: skip

Document = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod of the chart: a CronJob's, the server's or a bare one."""

    name: str
    labels: dict[str, str]
    spec: Document

    @property
    def container(self) -> Document:
        return self.spec["containers"][0]

    @property
    def env(self) -> dict[str, Any]:
        """Value by name; a reference stays a dict."""
        return {each["name"]: each.get("value", each.get("valueFrom")) for each in self.container["env"]}


class Chart:
    """The chart as one Helm renders it."""

    def __init__(self, helm: str) -> None:
        self.helm = helm
        self._render = cache(self._template)

    def render(self, name: str) -> list[Document]:
        """The documents made of `values/<name>.yaml`."""
        return self._render(name)

    def objects(self, name: str, kind: str) -> dict[str, Document]:
        """Those of one kind, by their name without what all names begin with."""
        prefix = f"{FULL_NAMES.get(name, RELEASE)}-"
        return {
            document["metadata"]["name"].removeprefix(prefix): document
            for document in self.render(name)
            if document["kind"] == kind
        }

    def pods(self, name: str) -> dict[str, Pod]:
        """Every pod by the name of what makes it."""
        templates = {
            key: document["spec"]["jobTemplate"]["spec"]["template"]
            for key, document in self.objects(name, "CronJob").items()
        }
        servers = {key: document["spec"]["template"] for key, document in self.objects(name, "Deployment").items()}
        return {
            key: Pod(key, template["metadata"]["labels"], template["spec"])
            for key, template in {**templates, **servers, **self.objects(name, "Pod")}.items()
        }

    def refuse(self, values: Document, release: str = RELEASE) -> str:
        """What Helm says of the minimal values with these over them; it must refuse them."""
        result = self.try_template("minimal", "-f", "-", release=release, stdin=json.dumps(values))
        assert result.returncode != 0, f"not refused: {values}"
        return result.stderr

    def try_template(
        self, name: str, *flags: str, release: str = RELEASE, stdin: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        command = [self.helm, "template", release, str(CHART), "-n", NAMESPACE, "-f", str(VALUES / f"{name}.yaml")]
        return subprocess.run([*command, *flags], input=stdin, capture_output=True, text=True, check=False)

    def _template(self, name: str) -> list[Document]:
        result = self.try_template(name)
        assert result.returncode == 0, result.stderr
        # ten times as fast as `safe_load_all`
        return [document for document in yaml.load_all(result.stdout, yaml.CSafeLoader) if document]
