"""The kind of a query and of a network indicator."""

import pytest

from tests.fields import rule


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("DeviceProcessEvents | where FileName == 'a.exe'", "kql"),
        ("index=main sourcetype=WinEventLog EventCode=1 | stats count", "spl"),
        ("title: a\nlogsource:\n  product: windows\ndetection:\n  index=1", "sigma"),
        ('rule a { strings: $a = "index=1" condition: $a }', "yara"),
        ('process where process.name : "a.exe"', "eql"),
        ("#event_simpleName=ProcessRollup2 FileName=a.exe", "logscale"),
        ("event_simpleName=ProcessRollup2 FileName=a.exe", "falcon"),
        ("dataset = xdr_data | filter action_process_image_name = 'a'", "xql"),
        ("index=main DeviceProcessEvents", None),
        ("GET /x?index=1 HTTP", None),
        ("`sysmon` EventCode=1", "spl"),
        ('import "pe"\nrule a { strings: $a = "x" condition: $a }', "yara"),
        # YARA-L
        ("rule a { meta: b = 1 events: $e.c = 1 condition: $e }", None),
        ("Sysmon | where EventID == 1", "kql"),
        ("_Im_ProcessCreate | where x", "kql"),
        ('SELECT * FROM processes WHERE name = "x"', "osquery"),
        ('alert http any any -> any any (msg:"x"; sid:1;)', "suricata"),
        # Snort has the same rules
        ('alert tcp any any -> any 80 (msg:"x"; sid:1;)', None),
        ("a.exe", None),
    ],
)
def test_the_language_of_a_query(query: str, expected: str | None) -> None:
    assert rule("query_type", "hunt_queries", query, f"Hunt:\n{query}") == expected
    assert rule("line_before", "hunt_queries", query, f"Hunt:\n{query}") == "Hunt:"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("hxxps://evil[.]example/a?b=1", "url"), ("evil[.]example/a", "url"), ("evil[.]example:8080", "domain"),
        ("203.0.113[.]9", "ip"), ("203.0.113.9:443", "ip"), ("203.0.113.0/24", "ip"), ("2001:db8::1", "ip"),
        ("/gate.php", "uri_path"), ("Mozilla/5.0 (X)", "user_agent"), ("setup.exe", None), ("a@b.example", None),
        ("config.json", None), ("evil.py", None), ("evil.zip/a", None), ("evil[.]zip", "domain"), ("/24", None),
        ("пример.рф", "domain"), ("xn--e1afmkfd.xn--p1ai", "domain"), ("curl/7.68", "user_agent"),
        ("encryptor[.]elf", None), ("a.dmg", None), ("a.rpm", None), ("System.Net", None), ("ASP.NET", None),
        ("Win32.Agent", None), ("system.net", "domain"), ("microsoft.com", "domain"), ("evil[.]one", "domain"),
        ("10.0.0.1/admin", "url"), ("10.0.0.1/99", None), ("kernel32.LoadLibraryA", None), ("document.cookie", None),
        ("process.name", None), ("com.apple.loginitem", None), ("command.com", None), ("file.io", "domain"),
        ("user.com", "domain"), ("GitHub.com", "domain"), ("com.evil[.]agent", "domain"),
        ("com.evil.example.com", "domain"),
    ],
)  # fmt: skip
def test_the_kind_of_an_indicator(value: str, expected: str | None) -> None:
    assert rule("indicator_type", "network_indicators", value, f"It asked {value} often.") == expected


def test_what_an_article_calls_a_user_agent_is_one() -> None:
    assert rule("indicator_type", "network_indicators", "Go-1", 'with the User-Agent: "Go-1".') == "user_agent"
