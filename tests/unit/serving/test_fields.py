"""The rules that fill an item's fields: right where the paragraph says it plainly, nothing where it does not."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiforge.records.observable import TYPES
from ctiforge.serving.fields import RULES, SOURCES, field_table
from ctiforge.serving.placing import LONGEST_PARAGRAPH, ArticlePlaces, PlacedItem
from ctiforge.serving.profiles import load_profile

ROOT = Path(__file__).parents[3]
PIECES = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            ["reg add ", "sc create ", " start= ", "/v ", '"', "a.exe", " -> ", "\\", "Run", "schtasks /tn ", "\n\n"]
        ),
    ),
    min_size=1,
    max_size=8,
).map("".join)
RUN = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run"


def rule(name: str, type_: str, value: str, text: str) -> object:
    return RULES[name](ArticlePlaces(text).place(type_, value))


@pytest.mark.parametrize(
    ("name", "value", "text", "expected"),
    [
        ("first_token", "net user /domain", "", "net"),
        ("first_token", '"C:\\Program Files\\a b.exe" -x', "", "C:\\Program Files\\a b.exe"),
        ("first_token", r"C:\Program Files\a b.exe -x", "", r"C:\Program Files\a b.exe"),
        ("wrapper_stripped", "net user /domain", "It ran cmd.exe /Q /c net user /domain", True),
        ("wrapper_stripped", "net user /domain", "It ran %COMSPEC% /C net user /domain.", True),
        ("wrapper_stripped", "net user /domain", "It ran net user /domain.", False),
        ("wrapper_stripped", "net user /domain", "It ran nothing.", None),
        ("sentence", "net user /domain", "First this. It ran net user /domain. Then that.", "It ran net user /domain."),
        ("sentence", "net user /domain", "nothing", None),
    ],
)
def test_commands(name: str, value: str, text: str, expected: object) -> None:
    assert rule(name, "cmdline", value, text) == expected


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("word.exe spawned calc.exe.", "spawned"),
        ("calc.exe was launched by word.exe.", "launched"),
        ("word.exe was launched by calc.exe.", None),
        ("calc.exe spawned word.exe.", None),
        ("word.exe -> calc.exe", None),
        ("word.exe started and then created calc.exe.", None),
        ("word.exe was seen. It launched a shell, calc.exe.", None),
    ],
)
def test_a_lineage(text: str, verb: str | None) -> None:
    value = "word.exe -> calc.exe"
    assert rule("creation_verb", "process_lineage", value, text) == verb
    assert rule("parent", "process_lineage", value, text) == "word.exe"
    assert rule("child", "process_lineage", value, text) == "calc.exe"


def test_a_lineage_of_more_or_fewer_has_neither_parent_nor_child() -> None:
    for value in ("word.exe", "word.exe -> calc.exe -> c.exe"):
        assert rule("parent", "process_lineage", value, value) is rule("child", "process_lineage", value, value) is None


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        (
            rf"{RUN}\Updater",
            rf'reg add "{RUN}" /v Updater /t REG_SZ /d "C:\a b.exe" /f',
            (RUN, "Updater", r"C:\a b.exe", "REG_SZ", "created"),
        ),
        (
            rf"{RUN}\Updater",
            rf"Set-ItemProperty -Path {RUN} -Name Updater -Value C:\a.exe",
            (RUN, "Updater", r"C:\a.exe", None, "modified"),
        ),
        (RUN, rf'reg add "{RUN}" /v Updater /t REG_SZ /d C:\a.exe', (RUN, None, None, None, "created")),
        (RUN, rf"It deleted the key {RUN}.", (RUN, None, None, None, "deleted")),
        (RUN, rf"The key {RUN} was then queried.", (RUN, None, None, None, "queried")),
        (RUN, rf"It created and deleted the key {RUN}.", (RUN, None, None, None, None)),
        (RUN, rf"It created a file. See {RUN}.", (RUN, None, None, None, None)),
        (
            r"HKLM\SYSTEM\A\WDigest\UseLogonCredential",
            r"It set HKLM\SYSTEM\A\WDigest\UseLogonCredential to 1.",
            (r"HKLM\SYSTEM\A\WDigest", "UseLogonCredential", "1", None, "modified"),
        ),
        (r"HKLM\Software\A\B", r"HKLM\Software\A\B = 1", (r"HKLM\Software\A\B", None, None, None, None)),
        (r"HKLM\Software\A", "nothing of it", (r"HKLM\Software\A", None, None, None, None)),
    ],
)
def test_registry(value: str, text: str, expected: tuple[str | None, ...]) -> None:
    names = ("key", "value_name", "value_data", "value_type", "operation")
    assert tuple(rule(f"registry_{name}", "registry", value, text) for name in names) == expected


SERVICE = ("name", "display_name", "binary_path", "start_type", "creation_command", "operation", "source_type")


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        (
            "Upd",
            r'It ran sc.exe create Upd binPath= "C:\a b.exe" start= auto DisplayName= "An updater" and left.',
            (
                *("Upd", "An updater", r"C:\a b.exe", "auto"),
                r'sc.exe create Upd binPath= "C:\a b.exe" start= auto DisplayName= "An updater"',
                *("created", "command"),
            ),
        ),
        (
            "Upd",
            r"New-Service -Name Upd -BinaryPathName C:\a.exe -StartupType Manual",
            (
                *("Upd", None, r"C:\a.exe", "manual"),
                *(r"New-Service -Name Upd -BinaryPathName C:\a.exe -StartupType Manual", "created", "command"),
            ),
        ),
        (
            "WinDefend",
            "sc config WinDefend start= disabled",
            ("WinDefend", None, None, "disabled", None, "disabled", "command"),
        ),
        (
            "Upd",
            "A service named Upd lives on:\n" r'sc create Upd binPath= "C:\a b.exe" start= auto',
            (
                *("Upd", None, r"C:\a b.exe", "auto"),
                r'sc create Upd binPath= "C:\a b.exe" start= auto',
                *("created", None),
            ),
        ),
        ("WinDefend", "It ran net stop WinDefend.", ("WinDefend", *[None] * 4, "stopped", "command")),
        ("Upd", "The actor installed a new service named Upd.", ("Upd", *[None] * 4, "created", None)),
        ("Upd", "The service Upd was deleted.", ("Upd", *[None] * 4, "deleted", None)),
        ("Upd", r"It wrote HKLM\SYSTEM\CurrentControlSet\Services\Upd.", ("Upd", *[None] * 5, "registry")),
        (
            "Upd",
            r"Event ID 7045: service Upd, ImagePath: C:\a.exe, Start Type: demand start",
            ("Upd", None, r"C:\a.exe", "manual", None, None, "event log"),
        ),
        (r"C:\a.exe", r"The service Upd runs C:\a.exe.", (None, None, r"C:\a.exe", *[None] * 4)),
        ("Upd", "An auto dealer. Upd is a service, and the boot was disabled.", ("Upd", *[None] * 6)),
    ],
)  # fmt: skip
def test_services(value: str, text: str, expected: tuple[str | None, ...]) -> None:
    assert tuple(rule(f"service_{name}", "services", value, text) for name in SERVICE) == expected


TASK = ("name", "path", "trigger", "principal", "store_path", "operation")


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        (
            "Upd",
            "It created a scheduled task named Upd that runs daily as NT AUTHORITY\\SYSTEM.",
            ("Upd", None, "daily", "NT AUTHORITY\\SYSTEM", None, "created"),
        ),
        (
            "Upd",
            r"It registered the task \Microsoft\Windows\Upd with a LogonTrigger.",
            ("Upd", r"\Microsoft\Windows\Upd", "LogonTrigger", None, None, "created"),
        ),
        (r"\Microsoft\Upd", r"See the task \Microsoft\Upd.", (None, r"\Microsoft\Upd", *[None] * 4)),
        (
            "Upd",
            r"The file C:\Windows\System32\Tasks\Upd was there.",
            ("Upd", None, None, None, r"C:\Windows\System32\Tasks\Upd", None),
        ),
        (
            "Upd",
            'schtasks /create /sc minute /mo 5 /tn "Upd" /tr "a.exe /sc" /ru "Other User"',
            ("Upd", None, "minute /mo 5", "Other User", None, "created"),
        ),
        (
            "Upd",
            "It keeps itself with a task named Upd:\nschtasks.exe /create /tn Upd /tr a.exe /sc onlogon /ru SYSTEM /f",
            ("Upd", None, "onlogon", "SYSTEM", None, "created"),
        ),
        (
            "Upd",
            "schtasks /create /tn Old /sc daily & schtasks /delete /tn Upd & schtasks /create /tn New /ru SYSTEM",
            ("Upd", *[None] * 4, "deleted"),
        ),
        ("Upd", "schtasks /create /tn Old & schtasks /run /tn Upd", ("Upd", *[None] * 4, "executed")),
        ("Upd", "Unregister-ScheduledTask -TaskName Upd", ("Upd", *[None] * 4, "deleted")),
        ("Upd", "Upd (every 5 minutes or at startup) is a task.", ("Upd", *[None] * 5)),
    ],
)
def test_scheduled_tasks(value: str, text: str, expected: tuple[str | None, ...]) -> None:
    assert tuple(rule(f"task_{name}", "scheduled_tasks", value, text) for name in TASK) == expected


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
    ],
)  # fmt: skip
def test_the_kind_of_an_indicator(value: str, expected: str | None) -> None:
    assert rule("indicator_type", "network_indicators", value, f"It asked {value} often.") == expected


def test_what_an_article_calls_a_user_agent_is_one() -> None:
    assert rule("indicator_type", "network_indicators", "Go-1", 'with the User-Agent: "Go-1".') == "user_agent"


def test_a_paragraph_is_what_stands_between_empty_lines() -> None:
    text = "One.\r\n\r\n  It ran net user /domain.\r\nAnd more. \n \t\n\nThree."
    assert ArticlePlaces(text).place("cmdline", "net user /domain").paragraph == (
        "It ran net user /domain.\r\nAnd more."
    )


@pytest.mark.parametrize("filling", ["Words without an end ", "A sentence of words. ", "a line of words\n", "x"])
def test_of_a_long_paragraph_a_stretch_around_the_item_is_quoted(filling: str) -> None:
    text = f"{filling * 500} net user /domain {filling * 500}"
    paragraph = ArticlePlaces(text).place("cmdline", "net user /domain").paragraph
    assert paragraph is not None
    assert "net user /domain" in paragraph
    assert len(paragraph) <= LONGEST_PARAGRAPH
    assert paragraph in text


@given(PIECES, PIECES.filter(str.strip), st.sampled_from(TYPES))
def test_no_rule_stumbles_and_what_it_quotes_it_found(text: str, value: str, type_: str) -> None:
    item = ArticlePlaces(f"{text} {value} {text}").place(type_, value)
    for name, each in RULES.items():
        found = each(item)
        assert found is None or isinstance(found, bool | str), name
        assert found != "", name


@pytest.mark.parametrize(
    "piece", ["a", "\\", " ", "\n", "logsource: ", "cmd /c ", "C:\\a\\", "\\a b.c", "a.b.", '" ', "/a b"]
)
def test_rules_read_a_long_item_in_linear_time(piece: str) -> None:
    value = piece * (20_000 // len(piece))
    started = time.process_time()
    for each in RULES.values():
        each(PlacedItem("hunt_queries", value, None, None))
    assert time.process_time() - started < 1


def test_every_rule_and_source_is_described_and_every_rule_is_of_a_shipped_profile() -> None:
    table = dict(field_table())
    assert len(table) == len(RULES) + len(SOURCES)
    assert all(len(text) > 10 for text in table.values())
    used = {source for agent in load_profile("huntable").agent.values() for source in agent.fields.values()}
    assert {each for each in table if each.startswith("rule:")} == {each for each in used if each.startswith("rule:")}


def test_the_guide_has_the_table_of_all_sources_and_rules() -> None:
    page = (ROOT / "docs/guides/serving.md").read_text(encoding="utf-8")
    block = page.partition("<!-- fields:begin -->")[2].partition("<!-- fields:end -->")[0]
    rows = [f"| `{source}` | {text} |" for source, text in field_table()]
    assert block.split("\n") == ["", "| source | what it gives |", "|---|---|", *rows, ""]
