from ctiforge.extract.answering.merging import application_result, merge_windows
from ctiforge.records.observable import Observable
from ctiforge.training.windows import Window

TEXT = "It ran cmd /c start evil.exe -a now and then stopped."


def cmd(value):
    return Observable(type="cmdline", value=value)


def test_the_same_value_of_two_windows_is_one_item():
    merged = merge_windows(
        TEXT, [(Window(0, 36), [cmd("cmd /c start evil.exe -a")]), (Window(5, 52), [cmd("cmd /c start  evil.exe -a")])]
    )
    assert [item.value for item in merged] == ["cmd /c start evil.exe -a"]


def test_a_fragment_at_a_windows_border_gives_way_to_the_whole_item_of_its_neighbour():
    cut = TEXT.index("evil.exe")
    answers = [(Window(0, cut), [cmd("cmd /c start")]), (Window(5, len(TEXT)), [cmd("cmd /c start evil.exe -a")])]
    assert [item.value for item in merge_windows(TEXT, answers)] == ["cmd /c start evil.exe -a"]


def test_a_short_item_inside_a_window_stays_although_a_longer_one_contains_it():
    text = "It ran net user first. Later it ran net user evil /add on the host."
    whole = Window(0, len(text))
    merged = merge_windows(text, [(whole, [cmd("net user"), cmd("net user evil /add")])])
    assert [item.value for item in merged] == ["net user", "net user evil /add"]


def test_a_fragment_without_a_longer_neighbour_stays():
    cut = TEXT.index("evil.exe")
    assert len(merge_windows(TEXT, [(Window(0, cut), [cmd("cmd /c start")]), (Window(cut, len(TEXT)), [])])) == 1


def test_the_application_gets_items_summary_and_count():
    items = [
        Observable(type="services", value="Evil", platform="Windows"),
        Observable(type="cmdline", value="id", platform="Linux"),
    ]
    assert application_result(items, "https://example.invalid") == {
        "observables": [
            {"type": "services", "value": "Evil", "platform": "Windows"},
            {"type": "cmdline", "value": "id", "platform": "Linux"},
        ],
        "summary": {"count": 2, "source_url": "https://example.invalid", "platforms_detected": ["Linux", "Windows"]},
        "discrete_huntables_count": 2,
    }
