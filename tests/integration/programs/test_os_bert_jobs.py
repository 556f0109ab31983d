"""OS-BERT's programs as a person or the launcher runs them, on a real PostgreSQL."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ctiforge.data.labels import save_label
from ctiforge.data.testsets import import_testset
from ctiforge.records.article import OS_LABELS, ArticleRecord
from ctiforge.store.objects import open_store
from tests.in_process import run_here
from tests.integration.endpoint import Endpoint, answer
from tests.integration.osbert.conftest import small_bert  # noqa: F401
from tests.labels import human_label

ROOT = Path(__file__).parents[3]
SHOWS = {
    "Windows": "It ran powershell.exe -enc and wrote HKLM\\Software\\Run\\thing{n} on Windows Server.",
    "Linux": "It added thing{n} with crontab -e, ran systemctl enable thing{n} and dropped an ELF in /var/tmp.",
    "MacOS": "It wrote /Library/LaunchDaemons/com.thing{n}.plist and called launchctl load on macOS.",
    "Unknown": "Nothing was said about thing{n} beyond a letter to the customers of the bank.",
}
SHOWS["multiple"] = f"{SHOWS['Windows']} On the servers: {SHOWS['Linux']}"
OPTIONS = ("--force", "--store=store")


def run(program: str, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_here(program, *arguments, cwd=cwd, environment={**os.environ, "OPENAI_API_KEY": "", **environment})


def article(label: str, number: int) -> tuple[str, str]:
    """A title and a text that shows the label."""
    own = 5 * number + OS_LABELS.index(label)
    filler = " ".join(f"Sentence {own * 31 + n} of report {own} talks about campaign {n * own}." for n in range(12))
    return f"Report {own}", f"{filler} {SHOWS[label].format(n=own)} {filler}"


def insert(url: str, articles: list[tuple[str, str | None]], score: Any = 90) -> None:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO sources (identifier, name, url) VALUES ('s', 's', 'u') ON CONFLICT DO NOTHING")
        for title, content in articles:
            cursor.execute(
                "INSERT INTO articles (source_id, canonical_url, title, published_at, content, article_metadata) "
                "VALUES ((SELECT min(id) FROM sources), %s, %s, now(), %s, %s)",
                (f"https://x.invalid/{title}", title, content, json.dumps({"threat_hunting_score": score})),
            )


def add_test_set(folder: Path, count: int) -> None:
    records = [
        ArticleRecord(
            id=f"t{number}-{label}", title="", content=article(label, 900 + number)[1], content_hash="", os_label=label,
            labelled_by="human", annotator="tester",
        )
        for number in range(count)
        for label in OS_LABELS
    ]  # fmt: skip
    import_testset(open_store(str(folder / "store")), "mine", records)


@pytest.fixture
def filled(database_url: str, tmp_path: Path) -> str:
    """A database with twelve articles of each class, and a test set whose articles it holds as well."""
    insert(database_url, [article(label, n) for n in range(1, 13) for label in OS_LABELS])
    insert(database_url, [("in the test set", article("Linux", 900)[1])])
    add_test_set(tmp_path, 3)
    return database_url


def artifact(done: subprocess.CompletedProcess[str]) -> str:
    events = [json.loads(line) for line in done.stderr.splitlines() if line.startswith('{"event": "artifact"')]
    return str(events[-1]["uri"])


@pytest.mark.slow
def test_the_line_from_the_database_to_the_comparison(filled: str, tmp_path: Path, small_bert: Path) -> None:  # noqa: F811
    done = run("prepare_os", *OPTIONS, cwd=tmp_path, DATABASE_URL=filled)
    assert done.returncode == 0, done.stderr
    assert "set aside: 1 × in test set mine@1, or near to it" in done.stdout
    assert "warning: Windows: 12 articles, 50 are the minimum" in done.stdout
    data = Path(artifact(done))
    again = run("prepare_os", *OPTIONS, cwd=tmp_path, DATABASE_URL=filled)
    assert artifact(again) == str(data), "the same database, the same bytes"

    small = (f"--data={data}", f"--base-model={small_bert}", "--max-length=64", "--store=store")
    trained = run("train_os_bert", *small, "--max-steps=3", "--batch-size=8", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert "pooling noisy-or: validation macro-F1" in trained.stdout
    assert "deviates from the guide: max_length 64 instead of 512" in trained.stdout
    cached = run(
        "train_os_bert", *small, "--max-steps=3", "--batch-size=4", "--gradient-accumulation-steps=2", cwd=tmp_path
    )
    assert "cached: train_os_bert" in cached.stdout, "the same effective batch is the same training"
    baselines = run("baselines_os", *small, cwd=tmp_path)
    assert baselines.returncode == 0, baselines.stderr
    assert "random-forest (n_estimators" in baselines.stdout

    model = artifact(trained)
    evaluated = run(
        "eval_os_bert", f"--model={model}", "--test-data=testset:mine", f"--baselines={artifact(baselines)}",
        f"--base-model={small_bert}", f"--data={data}", "--store=store", "--report-to=tensorboard", cwd=tmp_path,
    )  # fmt: skip
    assert evaluated.returncode == 0, evaluated.stderr
    for row in ("majority class", "keywords", "logistic-regression", "random-forest", "first window only"):
        assert row in evaluated.stdout
    compared = run("compare", artifact(evaluated), "--store=store", cwd=tmp_path)
    assert compared.returncode == 0, compared.stderr
    assert "macro-F1 +" in compared.stdout

    words = f"--model={next(Path(artifact(baselines)).rglob('tf-idf'))}"
    (tmp_path / "a.txt").write_text(article("Linux", 77)[1])
    detected = run("detect_os", words, "--strategy=cascade", "a.txt", cwd=tmp_path)
    assert (detected.returncode, json.loads(detected.stdout)["platforms"]) == (0, ["Linux"]), detected.stderr
    detected = run("detect_os", f"--model={model}", "-", cwd=tmp_path)
    assert detected.returncode == 0, detected.stderr
    assert set(json.loads(detected.stdout)["probabilities"]) == set(OS_LABELS)
    by_id = run("detect_os", f"--model={model}", "--article-id=1", cwd=tmp_path, DATABASE_URL=filled)
    assert by_id.returncode == 0, by_id.stderr

    text = next(Path(artifact(evaluated)).rglob("evaluation.json")).read_text()
    assert json.loads(text)["measure"] == "accuracy"
    (events,) = Path(artifact(evaluated)).rglob("tensorboard")
    told = EventAccumulator(str(events)).Reload()
    (accuracy,) = told.Tensors("accuracy")
    shown = json.loads(text)["rows"][-1]["metrics"]["accuracy"]["value"]
    assert accuracy.tensor_proto.float_val[0] == pytest.approx(shown)


def test_two_labelers_are_compared_and_a_person_has_the_last_word(filled: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("id,label,annotator\n1,MacOS,ann\n2,Linux,ann\n")
    done = run(
        "prepare_os", *OPTIONS, "--labeler=keywords", "--labeler=human", "--labels=labels.csv", "--output=out",
        cwd=tmp_path, DATABASE_URL=filled,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "keywords and human: Cohen's kappa" in done.stdout
    report = json.loads((tmp_path / "out" / "prepare.json").read_text())
    assert report["agreement"][0]["articles"] == 2
    review = [json.loads(line) for line in (tmp_path / "out" / "review.jsonl").read_text().splitlines()]
    assert (review[0]["id"], review[0]["why"], review[0]["os_label"]) == ("1", "conflict", "MacOS")
    assert review[0]["labels"] == {"human": "MacOS", "keywords": "Windows"}
    parts = [
        json.loads(line)
        for part in ("train", "validation", "test")
        for line in (tmp_path / "out" / f"{part}.jsonl").read_text().splitlines()
    ]
    assert {a["id"]: (a["label"], a["labeler"]) for a in parts}["1"] == ("MacOS", "human")
    # the review file, signed, is a file of labels
    review[0]["annotator"] = "bob"
    (tmp_path / "signed.jsonl").write_text("".join(json.dumps(line) + "\n" for line in review))
    again = run("prepare_os", *OPTIONS, "--labeler=human", "--labels=signed.jsonl", cwd=tmp_path, DATABASE_URL=filled)
    assert "set aside: 59 × human: not judged" in again.stdout


def test_what_people_said_in_the_registry_is_a_persons_label(database_url: str, tmp_path: Path) -> None:
    texts = [article(label, 1) for label in OS_LABELS]
    insert(database_url, texts)
    store = open_store(str(tmp_path / "store"))
    for number, usage in enumerate((None, None, "gold")):
        save_label(store, human_label(texts[number][1], id_=f"x{number}", os_label="MacOS", usage=usage))
    save_label(store, human_label(texts[1][1], by="bob", id_="x1", os_label="Linux"))

    done = run("prepare_os", *OPTIONS, "--labeler=human", "--output=out", cwd=tmp_path, DATABASE_URL=database_url)

    assert "people contradict each other about 1 articles of the registry" in done.stderr
    report = json.loads((tmp_path / "out" / "prepare.json").read_text())
    assert report["labelled"] == 1
    assert report["set_aside"]["labeled for evaluation, or near to such an article"] == 1


def test_the_labels_of_the_application_are_compared_with_the_rules(database_url: str, tmp_path: Path) -> None:
    insert(database_url, [article(label, 1) for label in OS_LABELS] + [article("Linux", 2), article("MacOS", 3)])
    kept: dict[int, Any] = {
        1: {"operating_system": "Windows", "confidence": "low", "platforms_detected": []},
        2: {"operating_system": "multiple", "platforms_detected": ["linux", "macos"]},
        3: {"operating_system": "Windows", "platforms_detected": ["windows"]},
        4: {"operating_system": "BeOS"},
        5: "Windows",
    }
    newest = {"detected_os": "Windows", "detection_method": "eval_skip"}
    logs = [(3, {"detected_os": "linux", "platforms_detected": ["osx"]}), (3, newest), (6, newest), (7, ["odd"])]
    with psycopg2.connect(database_url) as connection, connection.cursor() as cursor:
        for id_, value in kept.items():
            metadata = json.dumps({"threat_hunting_score": 90, "os_classification": value})
            cursor.execute("UPDATE articles SET article_metadata = %s WHERE id = %s", (metadata, id_))
        for minute, (id_, value) in enumerate(logs):
            cursor.execute(
                "INSERT INTO agentic_workflow_executions (article_id, status, error_log, completed_at) "
                "VALUES (%s, 'completed', %s, now() + %s * interval '1 minute')",
                (id_, json.dumps({"os_detection_result": value}), minute),
            )
    flags = ("--labeler=application", "--labeler=keywords", "--output=out")
    done = run("prepare_os", *OPTIONS, *flags, cwd=tmp_path, DATABASE_URL=database_url)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "out" / "review.jsonl").read_text().splitlines()]
    said = {int(line["id"]): line["labels"].get("application") for line in lines}
    assert said == {1: "Windows", 2: "multiple", 3: "MacOS", 4: None, 5: None, 6: None, 7: None}
    assert "application and keywords: Cohen's kappa" in done.stdout
    assert "flagged: 1 × the application is not sure" in done.stdout
    report = json.loads((tmp_path / "out" / "prepare.json").read_text())
    assert report["labelled"] == 7, "where the application says nothing, the second labeler does"
    alone = run("prepare_os", *OPTIONS, "--labeler=application", cwd=tmp_path, DATABASE_URL=database_url)
    assert "set aside: 1 × application: the application names a system that is no label: 'beos'" in alone.stdout
    assert "set aside: 2 × application: what the application says cannot be read" in alone.stdout
    assert "set aside: 1 × application: the application has not looked" in alone.stdout


def test_an_endpoint_labels_and_nothing_is_paid_twice(filled: str, tmp_path: Path) -> None:
    with Endpoint(lambda asked: answer(OS_LABELS[len(asked.text) % 2])) as endpoint:
        arguments = (
            *OPTIONS, "--labeler=openai", f"--endpoint={endpoint.url}", "--labeler-model=m", "--price-in=1",
        )  # fmt: skip
        secret = {"OPENAI_API_KEY": "sk-secret-of-the-test"}
        first = run("prepare_os", *arguments, cwd=tmp_path, DATABASE_URL=filled, **secret)
        asked = len(endpoint.asked)
        second = run("prepare_os", *arguments, cwd=tmp_path, DATABASE_URL=filled, **secret)
        assert len(endpoint.asked) == asked
    assert first.returncode in (0, 3), first.stderr
    assert asked == 60
    assert "openai:m: " in first.stdout
    assert "sk-secret" not in first.stdout + first.stderr + second.stdout + second.stderr
    assert artifact(second) == artifact(first), "what an answer cost is no part of what comes out"


def test_below_the_minimum_of_a_class_nothing_is_prepared_unless_forced(filled: str, tmp_path: Path) -> None:
    done = run("prepare_os", "--store=store", cwd=tmp_path, DATABASE_URL=filled)
    assert done.returncode == 3
    assert "too few articles of Windows 12, Linux 12, MacOS 12, multiple 12, Unknown 12" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("articles", "flags", "code", "reason"),
    [
        ([], (), 3, "no article has a threat_hunting_score of 80 or more: lower --min-hunt-score"),
        ([("a", None), ("b", "  ")], (), 3, "2 articles were read, and none can be used: 2 × no content"),
        ([article("Linux", 1)], ("--labeler=human",), 2, "--labeler human needs --labels"),
        ([article("Linux", 1)], ("--labeler=openai",), 2, "--labeler openai needs --labeler-model"),
        (
            [article("Linux", 1)],
            ("--labeler=guess",),
            2,
            "guess: there is keywords, application, openai, human",
        ),
        ([article("Linux", 1)], ("--labeler=human", "--labels=wrong.csv"), 3, "line 2: os_label is one of Windows"),
        ([article("Linux", 1)], ("--labeler=human", "--labels=none.csv"), 2, "none.csv"),
        ([article("Linux", 1)], ("--labeler=human", "--labels=other.csv"), 3, "gave none of them a label"),
    ],
)
def test_bad_input_of_preparation(
    articles: list[tuple[str, str | None]],
    flags: tuple[str, ...],
    code: int,
    reason: str,
    database_url: str,
    tmp_path: Path,
) -> None:
    insert(database_url, articles)
    (tmp_path / "wrong.csv").write_text("id,label\n1,BeOS\n")
    (tmp_path / "other.csv").write_text("id,label\n77,Linux\n")
    done = run("prepare_os", *OPTIONS, *flags, cwd=tmp_path, DATABASE_URL=database_url)
    assert done.returncode == code, done.stderr
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_copies_that_a_person_labeled_differently_are_set_aside(database_url: str, tmp_path: Path) -> None:
    title, content = article("Windows", 1)
    insert(database_url, [(title, content), ("copy", content + " First published elsewhere."), article("Linux", 2)])
    (tmp_path / "labels.csv").write_text("id,label,annotator\n1,Windows,a\n2,Linux,a\n3,Linux,a\n")
    flags = ("--labeler=human", "--labels=labels.csv")
    done = run("prepare_os", *OPTIONS, *flags, cwd=tmp_path, DATABASE_URL=database_url)
    assert done.returncode == 0, done.stderr
    assert "set aside: 1 × human: labels of near duplicates conflict" in done.stdout


def test_all_of_one_class_is_prepared_but_not_trained(database_url: str, tmp_path: Path, small_bert: Path) -> None:  # noqa: F811
    insert(database_url, [article("Windows", n) for n in range(1, 6)])
    done = run("prepare_os", *OPTIONS, cwd=tmp_path, DATABASE_URL=database_url)
    assert done.returncode == 0, done.stderr
    data = artifact(done)
    trained = run(
        "train_os_bert",
        f"--data={data}",
        f"--base-model={small_bert}",
        "--max-length=64",
        "--store=store",
        cwd=tmp_path,
    )
    assert trained.returncode == 3
    assert "every one of them is Windows" in trained.stderr


def test_flags_that_cannot_be_are_usage_errors(tmp_path: Path) -> None:
    done = run("train_os_bert", "--data=nowhere", "--base-model=x", "--pooling=sum", "--store=store", cwd=tmp_path)
    assert (done.returncode, "--pooling sum: give auto" in done.stderr) == (2, True)
    done = run("train_os_bert", "--data=nowhere", f"--base-model=x@{40 * 'a'}", "--store=store", cwd=tmp_path)
    assert (done.returncode, "nowhere/train.jsonl: there is no such file" in done.stderr) == (2, True)
    done = run("compare", "--store=store", cwd=tmp_path)
    assert done.returncode == 2


def test_evaluations_of_two_lines_are_not_compared(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"kind": "classification"}')
    (tmp_path / "b.json").write_text("{}")
    done = run("compare", "a.json", "b.json", "--output=out", cwd=tmp_path)
    assert done.returncode == 2
    assert "of different lines" in done.stderr
