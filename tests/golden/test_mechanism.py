"""What golden files notice, what they let pass, and what a person is told."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from ctiforge.errors import UsageError
from ctiforge.extract.dataset import check
from tests.golden import held, stages, write
from tests.golden.picture import differences, of_value

ROWS = [{"id": number, "text": f"row {number}", "share": number / 8} for number in range(9)]


def picture(value: Any, version: int = 3, **packages: str) -> dict[str, Any]:
    made_of = {"inputs": {}, "packages": packages}
    return {"stage": "compare", "version": version, "made_of": made_of, "artifacts": [{"a.json": of_value(value)}]}


def moved(old: Any, new: Any, tolerance: float = 1e-9) -> list[str]:
    return list(differences(of_value(old), of_value(new), tolerance))


def test_a_stage_that_makes_something_else_is_named_with_what_moved_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "check_records", lambda articles: [])
    found = held.complaint(stages.run("check_data", tmp_path))
    assert found
    first, count, *_, advice = found.splitlines()
    version = stages.declared()["check_data"]
    assert first == f"check_data {version} makes something else than tests/golden/check_data-{version}.json holds:"
    assert count.startswith("  artifacts · 0 · check.json · findings: ")
    assert advice == (
        f'If it is meant, raise the number in Stage("check_data", {version}, …), then `make golden ARGS=check_data`.'
    )


def test_another_docstring_comment_or_helper_asks_nothing(tmp_path: Path) -> None:
    source = stages.program_file("check_data").read_text(encoding="utf-8")
    edited = tmp_path / "check_data.py"
    text = re.sub(r'"""(?=[A-Z])', '"""In other words: ', source).replace("\ndef ", "\n# a comment\ndef ")
    edited.write_text(f"{text}\n\ndef never_called() -> None:\n    pass\n", encoding="utf-8")
    assert text.count("In other words") > 1
    assert held.complaint(stages.run("check_data", tmp_path / "run", edited)) is None


def test_where_the_fixture_is_another_it_is_said_that_the_version_may_stay(tmp_path: Path) -> None:
    fixtures = tmp_path / "fixtures"
    shutil.copytree(stages.FIXTURES, fixtures)
    records = fixtures / "records" / "records.jsonl"
    records.write_text("".join(records.read_text(encoding="utf-8").splitlines(keepends=True)[1:]), encoding="utf-8")
    found = held.complaint(stages.run("check_data", tmp_path / "run", fixtures=fixtures))
    assert found
    assert "What it is made of is different too: inputs · records: " in found
    file = held.file_of("check_data", stages.declared()["check_data"]).name
    assert f"remove tests/golden/{file}, then `make golden ARGS=check_data`" in found


def test_other_packages_that_give_the_same_output_ask_nothing(tmp_path: Path) -> None:
    held.write(picture(ROWS, numpy="1"), tmp_path)
    assert held.complaint(picture(ROWS, numpy="2"), tmp_path) is None


def test_a_version_without_a_golden_file_names_the_command_that_writes_it(tmp_path: Path) -> None:
    found = held.complaint(picture(ROWS), tmp_path)
    assert found == "compare 3 has no golden output: `make golden ARGS=compare` writes tests/golden/compare-3.json"


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    held.write(picture(ROWS), tmp_path)
    before = (tmp_path / "compare-3.json").read_bytes()
    with pytest.raises(UsageError, match=r'not overwritten: raise the version .* Stage\("compare", 3, …\)'):
        held.write(picture([]), tmp_path)
    assert (tmp_path / "compare-3.json").read_bytes() == before


def test_a_raised_version_is_written_beside_what_moved_and_the_older_one_is_gone(tmp_path: Path) -> None:
    held.write(picture(ROWS), tmp_path)
    assert held.write(picture(ROWS[:-1], version=4), tmp_path)[0] == "artifacts · 0 · a.json · count: 9 before, 8 now"
    assert [path.name for path in tmp_path.iterdir()] == ["compare-4.json"]
    assert held.complaint(picture(ROWS[:-1], version=4), tmp_path) is None


def test_the_command_refuses_in_one_line_before_it_runs_anything(capsys: pytest.CaptureFixture[str]) -> None:
    assert write.main(["compare"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: tests/golden/compare-")
    assert said.count("\n") == 1
    assert write.main([]) == write.main(["no_stage"]) == 2


def test_in_a_long_list_the_field_and_the_row_are_named() -> None:
    other = [row | ({"text": "else"} if row["id"] == 6 else {}) for row in ROWS]
    lines = moved(ROWS, other)
    assert len(lines) == 2
    assert lines[0].startswith("fields · text: ")
    assert lines[1].startswith('rows · 6: "6 ')


def test_figures_may_be_off_by_the_tolerance_and_by_no_more() -> None:
    def shifted(by: float) -> list[dict[str, Any]]:
        return [row | {"share": row["share"] + by} for row in ROWS]

    assert moved(ROWS, shifted(1e-11)) == []
    assert moved(ROWS, shifted(1e-6))[0] == "floats · 0 · share: 0.0 before, 1e-06 now (may be off by 1e-09)"
    assert moved(ROWS, shifted(1e-4), tolerance=1e-3) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (10_000, 10_001),
        (1, 1.0),
        (True, 1),
        ("a", "b"),
        (None, 0.0),
        ({"a": 1}, {}),
        ([1], [1, 2]),
        ("x" * 101, "x" * 102),
    ],
)
def test_everything_but_a_float_is_held_exactly(old: Any, new: Any) -> None:
    assert moved(old, new, tolerance=1e-3)
    assert moved([[old]] * 9, [[new]] * 9, tolerance=1e-3)


def test_a_clock_is_left_out_wherever_it_stands() -> None:
    assert moved([{"id": n, "seconds": n} for n in range(9)], [{"id": n, "seconds": 7} for n in range(9)]) == []
    assert moved({"model": {"version": "1"}}, {"model": {"version": "2"}}) == []
    assert moved({"version": "1"}, {"version": "2"})


def test_a_picture_reads_back_as_it_was_written() -> None:
    taken = picture(ROWS)
    assert json.loads(json.dumps(taken)) == taken
