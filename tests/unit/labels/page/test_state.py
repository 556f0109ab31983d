import pytest
from pydantic import ValidationError

from ctiforge.labels.page.state import label_of, state_of
from ctiforge.records.labeling_page import JudgedItem, PageState
from ctiforge.records.observable import Observable
from tests.labels import commands, human_label

ARTICLE = human_label("They ran whoami /all.", id_="7").article


def judged(value: str, verdict: str = "accepted", type_: str = "cmdline", **changes) -> JudgedItem:
    return JudgedItem(type=type_, value=value, verdict=verdict, **changes)


def test_what_was_looked_at_is_whole_and_the_rest_single_items() -> None:
    state = PageState(
        judged=(judged("whoami"), judged("HKLM\\A", type_="registry"), judged("x", "rejected")), looked=("cmdline",)
    )
    label = label_of(state, ARTICLE, "ann", None)

    assert [each.value for each in label.article.observables] == ["whoami"]
    assert [each.value for each in label.positives] == ["HKLM\\A"]
    assert [each.value for each in label.rejected] == ["x"]
    assert (label.annotator, label.article.labelled_by, label.sources) == ("ann", "human", ("labeling page",))


def test_a_label_is_shown_as_it_was_said() -> None:
    state = PageState(judged=(judged("a"), judged("b", platform="Linux"), judged("c", "rejected")), looked=("cmdline",))

    assert state_of(label_of(state, ARTICLE, "ann", None)) == state
    assert state_of(None) == PageState()


def test_what_the_page_does_not_show_stays() -> None:
    known = human_label(ARTICLE.content, {"mutexes": ["m"], "cmdline": ["old"]}, id_="other", usage="gold")
    known = known.model_copy(update={"sources": ("review file",)})
    label = label_of(PageState(judged=(judged("new"),), looked=("cmdline",)), ARTICLE, "ann", known)

    assert {(each.type, each.value) for each in label.article.observables} == {("cmdline", "new"), ("mutexes", "m")}
    assert (label.article.id, label.usage) == ("other", "gold")
    assert label.sources == ("review file", "labeling page")


def test_an_item_accepted_in_one_spelling_is_not_rejected_in_another() -> None:
    state = PageState(judged=(judged("WHOAMI", "rejected"), judged("whoami"), judged("whoami ")), looked=("cmdline",))
    label = label_of(state, ARTICLE, "ann", None)

    assert (label.article.observables, label.rejected) == (commands("whoami"), ())


@pytest.mark.parametrize(
    "changes", [{"type": "mutexes"}, {"value": " "}, {"platform": "BeOS"}, {"verdict": "maybe"}, {"value": None}]
)
def test_what_is_no_item_is_refused(changes) -> None:
    with pytest.raises(ValidationError):
        JudgedItem(**{"type": "cmdline", "value": "x", "verdict": "accepted"} | changes)


def test_labels_of_before_with_odd_items_are_shown_without_them() -> None:
    odd = (Observable(type="mutexes", value="m"), Observable(type="cmdline", value=" "))

    assert state_of(human_label("x", {"cmdline": []}, positives=odd)).judged == ()
