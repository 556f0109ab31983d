"""An evaluation in shards is the same as in one, whatever happens to the parts that they hand to each other."""

import gzip
import hashlib
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ctiforge.demo.articles import make_corpus
from ctiforge.extract import evaluate, evaluation_parts
from ctiforge.records.answer import ANSWERS_NAME
from ctiforge.records.evaluation import Evaluation
from ctiforge.store.garbage import YOUNG, find_garbage
from ctiforge.store.objects import open_store
from tests.in_process import run_here

ARTICLES = 6
Result = subprocess.CompletedProcess[str]


@pytest.fixture(autouse=True)
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation says how long each article took: nothing here takes any time."""
    for name in ("regex_floor", "windowed"):
        still = SimpleNamespace(monotonic=lambda: 0.0)
        monkeypatch.setattr(f"ctiforge.extract.answering.{name}.time", still)


@pytest.fixture
def test_data(tmp_path: Path) -> Path:
    file = tmp_path / "articles.jsonl"
    short = sorted(make_corpus(0).test, key=lambda each: len(each.content))[:ARTICLES]
    # a row that is not labeled counts in no share
    unlabeled = short[0].model_copy(update={"id": "unlabeled", "labelled_types": (), "observables": ()})
    file.write_text("".join(each.model_dump_json() + "\n" for each in [unlabeled, *short]), encoding="utf-8")
    return file


Run = Callable[..., Result]


@pytest.fixture
def run(test_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("CTIFORGE_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.delenv("JOB_COMPLETION_INDEX", raising=False)

    def call(*flags: str, store: str = "store", model: str = "regex") -> Result:
        batch = ("--device=cpu", "--batch-size=4")
        line = (f"--model={model}", f"--test-data={test_data}", f"--store={tmp_path / store}", *batch)
        return run_here("eval_extract", *line, *flags, cwd=tmp_path)

    return call


def shard(run: Run, number: int, count: int, **more: Any) -> Result:
    done = run(f"--shards={count}", f"--shard={number}", **more)
    assert done.returncode == 0, done.stderr
    return done


def artifact(store: Path) -> Path | None:
    """The folder of the one artifact; None where there is none."""
    found = sorted((store / "artifacts").rglob("manifest.json"))
    if not found:
        return None
    [manifest] = found
    body = json.loads(manifest.read_text(encoding="utf-8"))
    assert {path.parent.name for path in manifest.parent.rglob(Evaluation.NAME)} == {body["attempt"]}
    return manifest.parent / str(body["attempt"])


def digests(store: Path) -> dict[str, str]:
    folder = artifact(store)
    assert folder
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def parts(store: Path) -> list[Path]:
    return sorted(path for path in (store / "checkpoints").rglob("*") if path.is_file())


@pytest.fixture
def alone(run: Run, tmp_path: Path) -> dict[str, str]:
    """The files of the rules' evaluation by one process."""
    assert run(store="alone").returncode == 0
    return digests(tmp_path / "alone")


@pytest.mark.parametrize("count", [2, 4, 9])
def test_the_evaluation_is_that_of_one_byte_for_byte(
    count: int, run: Run, alone: dict[str, str], tmp_path: Path
) -> None:
    for number in range(count - 1):
        left = ", ".join(str(each) for each in range(number + 1, count))
        said = shard(run, number, count)
        assert f"shard {number} of {count}: its part is there" in said.stdout
        assert f"(missing: {left})" in said.stdout
        assert '"event": "artifact"' not in said.stderr
        assert artifact(tmp_path / "store") is None
    last = shard(run, count - 1, count)
    assert f"{ARTICLES} articles scored" in last.stdout
    assert '"event": "artifact"' in last.stderr
    # also where there are more shards than articles
    assert digests(tmp_path / "store") == alone
    assert not parts(tmp_path / "store")
    assert shard(run, 0, count).stdout.startswith("cached: eval_extract")


@pytest.mark.slow
@pytest.mark.parametrize("count", [pytest.param(2, marks=pytest.mark.prove), 4])
def test_a_model_s_evaluation_is_that_of_one(count: int, run: Run, tmp_path: Path) -> None:
    assert run(store="alone", model="demo").returncode == 0
    for number in reversed(range(count)):
        shard(run, number, count, model="demo")
    found = digests(tmp_path / "store")
    assert found == digests(tmp_path / "alone")
    assert ANSWERS_NAME in found


def test_a_sample_is_shared_too(run: Run, tmp_path: Path) -> None:
    assert run("--sample=3", store="alone").returncode == 0
    for number in (0, 1):
        assert run("--sample=3", "--shards=2", f"--shard={number}").returncode == 0
    assert digests(tmp_path / "store") == digests(tmp_path / "alone")


def test_a_shard_of_nobody_knows_how_many_is_refused(run: Run) -> None:
    done = run("--shard=3")
    assert (done.returncode, done.stderr.strip()) == (2, "error: --shard 3: say of how many it is one, --shards N")


def test_a_shard_that_died_costs_its_own_part_alone(
    run: Run, alone: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard(run, 0, 3)
    asked = _count_articles(monkeypatch)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        # killed with all its articles read, before its part is there
        dying.setattr(evaluation_parts, "_write_part", die)
        assert run("--shards=3", "--shard=1").returncode == 130
    assert [path.name for path in parts(tmp_path / "store")] == ["0-of-3.json.gz"]
    with monkeypatch.context() as dying:
        # killed with its part there, before it looks what is missing
        dying.setattr("ctiforge.store.parts.StoredParts.names", die)
        assert run("--shards=3", "--shard=1").returncode == 130
    asked.clear()
    shard(run, 1, 3)
    shard(run, 0, 3)
    assert asked == []
    shard(run, 2, 3)
    assert len(asked) == ARTICLES / 3
    assert digests(tmp_path / "store") == alone


def test_who_died_between_the_last_part_and_the_evaluation_merges_without_asking_anything(
    run: Run, alone: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    shard(run, 0, 2)
    with monkeypatch.context() as dying:
        dying.setattr(evaluation_parts, "evaluation_of", die)
        assert run("--shards=2", "--shard=1").returncode == 130
    assert len(parts(tmp_path / "store")) == 2
    asked = _count_articles(monkeypatch)
    shard(run, 1, 2)
    assert asked == []
    assert digests(tmp_path / "store") == alone


def _damage(part: Path, how: str) -> None:
    body = json.loads(gzip.decompress(part.read_bytes()))
    match how:
        case "cut":
            part.write_bytes(part.read_bytes()[:-20])
        case "empty":
            part.write_bytes(b"")
        case "no part":
            part.write_bytes(gzip.compress(b'{"schema": 1, "shard": 0}'))
        case "newer":
            part.write_bytes(gzip.compress(json.dumps(body | {"schema": 99}).encode()))
        case "of another split":
            part.write_bytes(gzip.compress(json.dumps(body | {"shards": 5}).encode()))
        case "of other articles":
            body["articles"][0]["place"] = 99
            part.write_bytes(gzip.compress(json.dumps(body).encode()))


DAMAGES = ["cut", "empty", "no part", "newer", "of another split", "of other articles"]


@pytest.mark.parametrize("how", DAMAGES)
def test_a_part_that_cannot_be_used_is_set_aside_and_made_again(
    how: str, run: Run, alone: dict[str, str], tmp_path: Path
) -> None:
    shard(run, 0, 2)
    _damage(parts(tmp_path / "store")[0], how)
    again = shard(run, 0, 2)
    assert "0-of-2.json.gz is set aside: " in again.stderr
    shard(run, 1, 2)
    assert digests(tmp_path / "store") == alone


@pytest.mark.parametrize("how", DAMAGES)
def test_whoever_merges_reads_what_no_usable_part_holds(
    how: str, run: Run, alone: dict[str, str], tmp_path: Path
) -> None:
    shard(run, 0, 2)
    # its pod has ended well and does not come again
    _damage(parts(tmp_path / "store")[0], how)
    last = shard(run, 1, 2)
    assert "0-of-2.json.gz is set aside: " in last.stderr
    assert f"{ARTICLES // 2} articles are in no part that can be used: this shard reads them" in last.stderr
    assert digests(tmp_path / "store") == alone


def test_whoever_merges_loads_the_model_once(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard(run, 0, 2)
    _damage(parts(tmp_path / "store")[0], "cut")
    loaded: list[str] = []
    real = evaluate.open_extractor

    def counting(model: str, *arguments: Any, **named: Any) -> Any:
        loaded.append(model)
        return real(model, *arguments, **named)

    monkeypatch.setattr(evaluate, "open_extractor", counting)
    assert "3 articles are in no part that can be used" in shard(run, 1, 2).stderr
    assert loaded == ["regex"]


def test_where_too_much_failed_the_same_command_asks_about_those_again(
    run: Run, alone: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard(run, 0, 2)
    with monkeypatch.context() as failing:
        failing.setattr("ctiforge.extract.answering.regex_floor.RegexFloor.extract", _fail)
        last = run("--shards=2", "--shard=1")
    assert last.returncode == 4
    assert "failed on 3 of 6 windows" in last.stderr
    assert "run the same command again" in last.stderr
    # the other shard has answers to all
    assert [path.name for path in parts(tmp_path / "store")] == ["0-of-2.json.gz"]
    shard(run, 1, 2)
    assert digests(tmp_path / "store") == alone


def test_parts_of_another_split_are_not_counted_and_go_in_the_end(
    run: Run, alone: dict[str, str], tmp_path: Path
) -> None:
    shard(run, 0, 2)
    shard(run, 0, 3)
    second = shard(run, 1, 3)
    assert "(missing: 2)" in second.stdout
    assert "of another number of shards, not used: 0-of-2.json.gz" in second.stderr
    shard(run, 2, 3)
    assert digests(tmp_path / "store") == alone
    assert not parts(tmp_path / "store")


@pytest.mark.parametrize("at", ["all parts are there", "the parts are read"])
def test_two_that_finish_at_once_leave_one_evaluation(
    at: str, run: Run, alone: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard(run, 0, 2)
    name = {"all parts are there": "_read_part", "the parts are read": "evaluation_of"}[at]
    real, calls = getattr(evaluation_parts, name), []

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        calls.append(name)
        # the first time that a shard reads its own part is before it writes it
        if len(calls) == (2 if name == "_read_part" else 1):
            other = shard(run, 0, 2)
            assert f"{ARTICLES} articles scored" in other.stdout
        return real(*arguments, **named)

    monkeypatch.setattr(evaluation_parts, name, meanwhile)
    second = shard(run, 1, 2)
    said = {"_read_part": "shard 1 of 2: another shard has published", "evaluation_of": "articles scored"}[name]
    assert said in second.stdout
    assert digests(tmp_path / "store") == alone
    assert not parts(tmp_path / "store")


def test_one_that_comes_late_leaves_nothing_behind(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard(run, 0, 2)
    real = evaluation_parts.score_articles

    def slowly(*arguments: Any) -> Any:
        with monkeypatch.context() as usual:
            usual.setattr(evaluation_parts, "score_articles", real)
            # two pods of the same shard: the first one's node was taken to be lost
            shard(run, 1, 2)
        return real(*arguments)

    monkeypatch.setattr(evaluation_parts, "score_articles", slowly)
    assert "shard 1 of 2: another shard has published" in shard(run, 1, 2).stdout
    assert artifact(tmp_path / "store")
    assert not parts(tmp_path / "store")


def test_parts_are_garbage_when_checkpoints_are(run: Run, tmp_path: Path) -> None:
    shard(run, 0, 2)
    store = open_store(str(tmp_path / "store"))
    [part] = parts(tmp_path / "store")
    folder = part.parents[1].relative_to(tmp_path / "store").as_posix()
    assert folder.startswith("checkpoints/eval_extract/")
    assert not find_garbage(store, 0)
    later = datetime.now(UTC) + YOUNG + timedelta(days=1)
    assert folder in {thing.folder for thing in find_garbage(store, 0, later)}


def test_an_article_that_is_forgotten_stands_in_no_part(run: Run, tmp_path: Path) -> None:
    shard(run, 0, 3)
    shard(run, 1, 3)
    other, mine = parts(tmp_path / "store")
    [article, *_] = json.loads(gzip.decompress(mine.read_bytes()))["articles"]
    done = run_here("forget", f"--article={article['score']['id']}", f"--store={tmp_path / 'store'}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"removed checkpoints/{mine.relative_to(tmp_path / 'store/checkpoints').as_posix()}" in done.stdout
    assert parts(tmp_path / "store") == [other]


def test_the_pod_s_number_says_which_shard_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "1")
    assert "shard 1 of 2: its part is there" in run("--shards=2").stdout


def test_shards_change_no_fingerprint(run: Run) -> None:
    planned = [json.loads(run(*flags, "--plan").stdout) for flags in ((), ("--shards=4", "--shard=3"))]
    assert planned[0] == planned[1]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--shards=2", "--shard=2"), "--shard 2: of 2 shards the last one is 1"),
        (("--shards=2", "--nproc=2"), "give each process a shard, without --nproc"),
    ],
)
def test_what_cannot_be_is_refused(run: Run, flags: tuple[str, ...], said: str) -> None:
    done = run(*flags)
    assert done.returncode == 2
    assert said in done.stderr


def test_shards_meet_in_a_store(test_data: Path, tmp_path: Path) -> None:
    done = run_here("eval_extract", "--model=regex", f"--test-data={test_data}", "--shards=2", cwd=tmp_path)
    assert done.returncode == 2
    assert "--shards: give a --store that all shards reach" in done.stderr


def test_of_what_is_served_the_first_shard_asks_all(run: Run) -> None:
    served = ("--endpoint=http://localhost:9/v1", "--shards=2")
    other = run(*served, "--shard=1", model="served")
    assert (other.returncode, other.stderr) == (0, "")
    assert "shard 1 of 2: the first shard alone asks what is served" in other.stdout
    # nobody listens there
    assert run(*served, "--shard=0", model="served").returncode == 4


def _fail(*_: Any, **__: Any) -> None:
    raise RuntimeError("the pattern is too deep")


def _count_articles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The articles that are asked about from now on."""
    asked: list[str] = []
    real = evaluation_parts.score_articles

    def counting(*arguments: Any) -> Any:
        scored = real(*arguments)
        asked.extend(each.score.id for each in scored)
        return scored

    monkeypatch.setattr(evaluation_parts, "score_articles", counting)
    return asked
