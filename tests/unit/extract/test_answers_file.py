import io
import json

from ctiforge.extract.answering.extraction import WindowAnswer
from ctiforge.extract.answers_file import LONGEST_ANSWER, AnswersFile, kept_answer


def window(raw: str) -> WindowAnswer:
    return WindowAnswer(0, 9, raw, False, False, False, 0, 1, 1)


def test_a_long_answer_is_cut_and_says_so() -> None:
    file = io.BytesIO()
    AnswersFile(file).keep(kept_answer("1", ("cmdline",), window("x" * (LONGEST_ANSWER + 5))))

    kept = json.loads(file.getvalue())
    assert (len(kept["raw"]), kept["cut"]) == (LONGEST_ANSWER, 5)


def test_what_has_no_room_is_counted() -> None:
    file = io.BytesIO()
    answers = AnswersFile(file, room=400)
    for raw in ("short", "x" * 400, "short"):
        answers.keep(kept_answer("1", ("cmdline",), window(raw)))

    assert len(file.getvalue().splitlines()) == 1
    assert answers.left_out == 2


def test_half_a_character_breaks_nothing() -> None:
    file = io.BytesIO()
    AnswersFile(file).keep(kept_answer("1", (), window("a\ud800b")))

    assert json.loads(file.getvalue())["raw"] == "a?b"


def test_how_the_model_leans_is_rounded_in_the_file_alone() -> None:
    file = io.BytesIO()
    kept = kept_answer("1", (), WindowAnswer(0, 9, "{}", True, True, False, 0, 1, 1, leaning=1 / 3))
    AnswersFile(file).keep(kept)

    assert kept.leaning == 1 / 3
    assert json.loads(file.getvalue())["leaning"] == 0.3333
