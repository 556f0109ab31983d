"""What counts as a failure, what ends an evaluation, and how it is counted while it goes on."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from ctiforge.errors import CannotGoOnError
from ctiforge.extract.answering.extraction import Extraction, Source, Tell, WindowAnswer, WindowSpan
from ctiforge.extract.asking import Answered, Asking, shares
from ctiforge.extract.evaluate import evaluate_extractor
from ctiforge.progress import Progress
from ctiforge.records.article import ArticleRecord
from ctiforge.records.evaluation import Evaluation, ModelInfo, TestSetInfo

WINDOWS = 4
Script = Callable[[str, int], str | None]
"""Text and window → why it failed, None where it was answered; it may raise."""


class Scripted:
    """Answers every window with nothing, and fails as the script says."""

    name = "scripted"

    def __init__(self, script: Script) -> None:
        self.script = script

    def extract(self, text: str, types: Sequence[str] | None = None, *, source_url: str | None = None) -> Extraction:
        return next(self.extract_many([Source(text)]))

    def extract_many(self, sources: Sequence[Source], tell: Tell | None = None) -> Iterator[Extraction]:
        for source in sources:
            windows = []
            for number in range(WINDOWS):
                error = self.script(source.text, number)
                windows.append(WindowAnswer(number, number + 1, "no JSON", False, False, False, 0, 9, 9, error))
                if tell:
                    tell()
            yield Extraction((), tuple(windows))

    def plan(self, source: Source) -> list[WindowSpan]:
        return [(number, number + 1) for number in range(WINDOWS)]


def articles(count: int) -> list[ArticleRecord]:
    return [
        ArticleRecord(
            id=str(number), content=f"article-{number}", content_hash=str(number), observables=(),
            labelled_types=("cmdline",), labelled_by="human", annotator="a",
        )
        for number in range(count)
    ]  # fmt: skip


def evaluated(script: Script, count: int = 50) -> Evaluation:
    return evaluate_extractor(
        Scripted(script),
        articles(count),
        model=ModelInfo(name="m", version="1"),
        test_set=TestSetInfo(name="s", version="1", content_hash="h", articles=0),
    )


def raising(error: Exception, of: str = "article-7") -> Script:
    def script(text: str, number: int) -> str | None:
        if text == of:
            raise error
        return None

    return script


def first_windows(count: int) -> Script:
    """The first windows of so many articles fail."""
    return lambda text, number: "time-out" if number == 0 and int(text.split("-")[1]) < count else None


def test_two_percent_of_the_windows_may_fail_and_no_more() -> None:
    evaluation = evaluated(first_windows(4))

    assert evaluation.metrics["failed_windows"].value == 4 / 200
    # read in part is not read: nothing says that the rest of it is empty
    assert evaluation.metrics["zero_clean"].value == 46 / 50
    assert evaluation.metrics["failed_articles"].value == 0
    with pytest.raises(CannotGoOnError) as ended:
        evaluated(first_windows(5))
    assert "m failed on 5 of 200 windows, more than 2%; the first time with: time-out" in str(ended.value)
    assert "run the same command again" in str(ended.value)


def test_an_answer_that_is_no_json_is_an_answer() -> None:
    evaluation = evaluated(lambda text, number: None)

    assert evaluation.metrics["failed_windows"].value == 0
    assert evaluation.metrics["json_validity"].value == 0
    assert evaluation.metrics["zero_clean"].value == 1


def test_an_article_fails_when_all_its_windows_do() -> None:
    evaluation = evaluated(lambda text, number: "time-out" if text == "article-3" else None)

    assert evaluation.failed == {"time-out": 1}
    assert evaluation.articles[3].error == "time-out"


def test_a_model_that_crashes_on_half_the_articles_has_no_evaluation() -> None:
    def script(text: str, number: int) -> str | None:
        if int(text.split("-")[1]) % 2:
            raise ValueError("no room")
        return None

    with pytest.raises(CannotGoOnError, match=r"failed on 100 of 200 windows.* with: ValueError: no room"):
        evaluated(script)


@pytest.mark.parametrize(
    "error", [ValueError("odd"), RuntimeError("shape mismatch"), torch.OutOfMemoryError("CUDA out of memory")]
)
def test_an_article_that_raises_counts_with_all_its_windows(error: Exception) -> None:
    evaluation = evaluated(raising(error))

    assert evaluation.metrics["failed_windows"].value == WINDOWS / 200
    assert list(evaluation.failed) == [f"{type(error).__name__}: {error}"]


def test_a_device_that_failed_ends_the_evaluation_at_once() -> None:
    asked: list[str] = []

    def script(text: str, number: int) -> str | None:
        asked.append(text)
        return raising(RuntimeError("CUDA error: an illegal memory access was encountered"), "article-1")(text, number)

    with pytest.raises(CannotGoOnError, match=r"the device failed.*illegal memory access.*nvidia-smi"):
        evaluated(script)
    assert set(asked) == {"article-0", "article-1"}


def ask(script: Script, count: int) -> tuple[list[Answered], list[int]]:
    """Gives back too how many windows were done each time that progress was told."""
    done: list[int] = []

    class Told(Progress):
        def update(self, done_now, metrics=None):  # type: ignore[no-untyped-def]
            super().update(done_now, metrics)
            done.append(done_now)

    asking = Asking(Scripted(script), articles(count))
    assert asking.windows == count * WINDOWS
    with Told("eval_extract", asking.windows, stream=io.StringIO()) as progress:
        return list(asking.ask(progress)), done


def test_progress_goes_by_windows() -> None:
    found, done = ask(lambda text, number: None, 40)

    assert len(found) == 40
    assert sorted(set(done)) == list(range(1, 161))


def test_what_is_asked_about_once_more_is_counted_once() -> None:
    _, done = ask(raising(ValueError("odd")), 40)

    assert done == sorted(done)
    assert done[-1] == 160
    # article by article, the 32 of the first part begin again
    assert 28 in done
    assert done.index(129) > done.index(128)


def test_a_text_that_cannot_be_cut_counts_as_one_window() -> None:
    class Uncut(Scripted):
        def plan(self, source: Source) -> list[WindowSpan]:
            raise ValueError("no tokens")

    assert Asking(Uncut(lambda text, number: None), articles(3)).windows == 3


def test_answers_are_kept_beside_the_evaluation(tmp_path: Path) -> None:
    import gzip

    def evaluate(folder: Path) -> bytes:
        folder.mkdir()
        evaluate_extractor(
            Scripted(raising(ValueError("odd"))),
            articles(50),
            model=ModelInfo(name="m", version="1"),
            test_set=TestSetInfo(name="s", version="1", content_hash="h", articles=0),
            answers=folder,
        )
        return (folder / "answers.jsonl.gz").read_bytes()

    data = evaluate(tmp_path / "a")

    assert data == evaluate(tmp_path / "b")
    lines = [json.loads(line) for line in gzip.decompress(data).splitlines()]
    assert len(lines) == 50 * WINDOWS
    assert lines[0] == {
        "article_id": "0", "start": 0, "end": 1, "types": ["cmdline"], "raw": "no JSON", "cut": 0,
        "stopped_by_length": False, "error": None, "items": None,
    }  # fmt: skip
    failed = [line for line in lines if line["article_id"] == "7"]
    assert [(line["start"], line["raw"], line["error"]) for line in failed] == [
        (number, "", "ValueError: odd") for number in range(WINDOWS)
    ]


def test_work_is_shared_by_size_and_each_piece_once():
    sizes = [5, 1, 1, 9, 2, 2]
    parts = shares(sizes, 3)
    assert sorted(place for part in parts for place in part) == list(range(6))
    assert sorted(sum(sizes[place] for place in part) for part in parts) == [5, 6, 9]
    assert shares(sizes, 1) == [list(range(6))]
    assert shares([3], 2) == [[0], []]
