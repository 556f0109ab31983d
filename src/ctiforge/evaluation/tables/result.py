"""What an evaluation left, shown to whoever started it."""

from pathlib import Path
from tempfile import TemporaryDirectory

from ctiforge.evaluation.tables.classifiers import print_classifier_evaluation
from ctiforge.evaluation.tables.evaluation import print_evaluation
from ctiforge.records.classification import read_evaluation
from ctiforge.records.evaluation import Evaluation
from ctiforge.store.artifacts import fetch
from ctiforge.tables import wide_console


def print_result(uri: str, output: str | None) -> None:
    """Print the tables of an evaluation of either line, and leave it at X.json where that was asked for.

    Args:
        uri: The artifact or folder that the evaluation lies in.
        output: Where it was to go: `X.json` on this machine gets a copy of the file.
    """
    with TemporaryDirectory() as folder:
        text = fetch(f"{uri}/{Evaluation.NAME}", Path(folder)).read_text(encoding="utf-8")
    if output and output.endswith(".json") and not output.startswith("s3://"):
        Path(output).write_text(text, encoding="utf-8")
    evaluation = read_evaluation(text, uri)
    if isinstance(evaluation, Evaluation):
        print_evaluation(evaluation, wide_console())
    else:
        print_classifier_evaluation(evaluation, wide_console())
    print(f"-> {uri}/{Evaluation.NAME}")
