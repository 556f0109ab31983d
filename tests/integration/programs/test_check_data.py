"""check_data as a person or the launcher runs it."""

import json
import subprocess
from pathlib import Path

import pytest

from ctiforge.data.testsets import import_testset
from ctiforge.records.article import ArticleRecord
from ctiforge.records.observable import Observable
from ctiforge.store import hashes
from ctiforge.store.objects import open_store
from ctiforge.training.encoding import resolve_model
from tests.in_process import run_here
from tests.integration.store.reading import count_reads

ROOT = Path(__file__).parents[3]


def run(program: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run_here(program, *arguments, cwd=cwd)


def article(number: int, *, value: str | None = None, labelled_by: str = "model") -> ArticleRecord:
    found = () if number >= 12 else (Observable(type="cmdline", value=value or f"whoami /user{number}"),)
    return ArticleRecord(
        id=f"a{number}",
        url=f"https://site{number}.invalid/a",
        content=f"Report {number} of host {number}: on day {number} the actor ran whoami /user{number} and left it.",
        content_hash=str(number),
        observables=found,
        labelled_types=("cmdline",),
        labelled_by=labelled_by,
        annotator="tester" if labelled_by == "human" else None,
    )


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Twenty articles, of which one is wrong in one value."""
    file = tmp_path / "records.jsonl"
    articles = [article(number, value="nowhere to be found" if number == 3 else None) for number in range(20)]
    file.write_text("".join(each.model_dump_json() + "\n" for each in articles), encoding="utf-8")
    return file


def check(tmp_path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return run("check_data", "--store=store", *flags, cwd=tmp_path)


def test_warnings_are_told_and_recorded(tmp_path: Path, records: Path) -> None:
    done = check(tmp_path, f"--records={records}", "--output=out")

    assert done.returncode == 0, done.stderr
    assert "warning: unlocatable answers: 1 of " in done.stdout
    assert "to do: " in done.stdout
    body = json.loads((tmp_path / "out" / "check.json").read_text())
    assert [each["check"] for each in body["findings"]] == ["unlocatable answers"]


def test_examples_are_checked_with_the_model_that_is_to_learn_from_them(tmp_path: Path, records: Path) -> None:
    cut = run(
        "format_extract", f"--input={records}", "--output=data", "--max-length=304", "--prompt=short-v1", cwd=tmp_path
    )
    assert cut.returncode == 0, cut.stderr

    good = check(tmp_path, f"--records={records}", "--data=data")
    description = json.loads((tmp_path / "data" / "format.json").read_text()) | {"tokenizer_hash": "other"}
    (tmp_path / "data" / "format.json").write_text(json.dumps(description))
    (tmp_path / "data" / "manifest.json").unlink()
    other = check(tmp_path, "--data=data")

    assert good.returncode == 0, good.stdout + good.stderr
    assert "template" not in good.stdout
    assert other.returncode == 3
    assert "error: the data was cut for the tokenizer of demo" in other.stderr
    assert "Traceback" not in other.stderr


def test_of_a_base_in_s3_the_tokenizer_alone_is_fetched(
    tmp_path: Path, records: Path, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = open_store(f"{s3_bucket}/base")
    for file in Path(resolve_model("demo")).iterdir():
        base.upload(file, file.name)
    monkeypatch.setattr(hashes, "_seen", {})
    read = count_reads(monkeypatch)

    flags = (f"--model={base.uri}", f"--store={s3_bucket}/store")
    cut = run(
        "format_extract", f"--input={records}", "--output=data", "--max-length=304", "--prompt=short-v1", *flags,
        cwd=tmp_path,
    )  # fmt: skip
    done = run("check_data", *flags, f"--records={records}", "--data=data", cwd=tmp_path)

    assert cut.returncode == 0, cut.stderr
    assert done.returncode == 0, done.stderr
    # read once, for the fingerprint of both
    assert read["model.safetensors"] == base.info("model.safetensors").size


def test_a_leak_stops_unless_it_is_forced(tmp_path: Path, records: Path) -> None:
    import_testset(open_store(str(tmp_path / "store")), "mine", [article(5, labelled_by="human")])

    stopped = check(tmp_path, f"--records={records}")
    forced = check(tmp_path, f"--records={records}", "--force", "--output=out")

    assert stopped.returncode == 3
    assert "test article a5 is training article a5 (the same page)" in stopped.stderr
    assert forced.returncode == 0
    body = json.loads((tmp_path / "out" / "check.json").read_text())
    assert [each["level"] for each in body["findings"] if each["check"] == "leaks"] == ["error"]


def test_without_a_store_the_test_sets_are_those_of_the_settings_and_nothing_is_kept_there(
    tmp_path: Path, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CTIFORGE_STORE", raising=False)
    alone = run("check_data", f"--records={records}", "--output=alone", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    assert not (tmp_path / ".ctiforge" / "store").exists()

    import_testset(open_store(str(tmp_path / "mine")), "mine", [article(5, labelled_by="human")])
    monkeypatch.setenv("CTIFORGE_STORE", "mine")
    stopped = run("check_data", f"--records={records}", "--output=out", cwd=tmp_path)

    assert stopped.returncode == 3
    assert "test article a5 is training article a5 (the same page)" in stopped.stderr
    assert [each.name for each in (tmp_path / "mine").iterdir()] == ["testsets"]


def test_something_to_check_must_be_named(tmp_path: Path) -> None:
    done = check(tmp_path)

    assert done.returncode == 2
    assert "--records" in done.stderr
