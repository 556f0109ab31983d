"""The fields of a Windows service."""

import pytest

from tests.fields import rule

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


def said(value: str, text: str) -> dict[str, object]:
    found = {name: rule(f"service_{name}", "services", value, text) for name in SERVICE}
    return {name: each for name, each in found.items() if each is not None and name not in ("name", "source_type")}


CREATED = {"operation": "created"}


@pytest.mark.parametrize(
    ("text", "command", "path", "start"),
    [
        (
            r'`sc create Evil binPath= "C:\a b\x.exe"`.',
            r'sc create Evil binPath= "C:\a b\x.exe"',
            r"C:\a b\x.exe",
            None,
        ),
        (
            r"`sc create Evil binPath= C:\x.exe start= auto`",
            *(r"sc create Evil binPath= C:\x.exe start= auto", r"C:\x.exe", "auto"),
        ),
        (
            r'sc create "Evil" binPath="\"C:\Program Files\x.exe\" -k" start=auto',
            *(
                r'sc create "Evil" binPath="\"C:\Program Files\x.exe\" -k" start=auto',
                r'"C:\Program Files\x.exe" -k',
                "auto",
            ),
        ),
        (
            r'"C:\Windows\System32\sc.exe" create Evil binPath= C:\x.exe && sc start Evil',
            *(r'"C:\Windows\System32\sc.exe" create Evil binPath= C:\x.exe', r"C:\x.exe", None),
        ),
        (
            "sc create Evil ^\n  binPath= C:\\x.exe ^\n  start= auto\nsc start Evil",
            *("sc create Evil ^\n  binPath= C:\\x.exe ^\n  start= auto", r"C:\x.exe", "auto"),
        ),
        (
            r'New-Service -BinaryPathName "C:\a b.exe" -Name Evil and so on',
            *(r'New-Service -BinaryPathName "C:\a b.exe" -Name Evil', r"C:\a b.exe", None),
        ),
    ],
)
def test_a_command_is_given_whole(text: str, command: str, path: str, start: str | None) -> None:
    start_type = {"start_type": start} if start else {}
    assert said("Evil", text) == CREATED | {"creation_command": command, "binary_path": path} | start_type


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # quotes that the article left out: nobody can tell where the value ends
        (r"sc create Evil binPath= C:\Program Files\x.exe start= auto", CREATED),
        (r"sc create Evil binPath= cmd.exe /c calc start= auto", CREATED),
        (r'sc create Evil binPath= "C:\x...', CREATED),
        (r"sc create Evil binPath= C:\x...", CREATED),
        (r"sc create Evil binPath= C:\a^&b.exe start= auto", CREATED),
        (r"sc create Evil binPath= C:\a.exe&quot; start= auto", CREATED),
        (
            r"sc create Evil binPath= C:\Users\<user>\a.exe, start= auto",
            CREATED | {"binary_path": r"C:\Users\<user>\a.exe"},
        ),
        (r'"sc create Evil binPath= \"C:\a b.exe\" start= auto"', CREATED),
        (r'sc create EvilTwo binPath= "C:\x.exe"; the service Evil was stopped', {"operation": "stopped"}),
        ("Attackers never created the Evil service; it is a legitimate one.", {}),
        ("The attacker stopped and deleted the Evil service.", {}),
        ("The service Evil was stopped and deleted.", {}),
        ("The attacker created a user account and then stopped the Evil service.", {"operation": "stopped"}),
        ("It deleted the service Foo, then Evil ran as a service.", {}),
        ("Evil is started automatically by Windows, startup type: manual is set for RemoteRegistry.", {}),
        (r"Evil with ImagePath C:\Windows\My Dir\evil.exe", {}),
        (r"Foo and Evil with ImagePath C:\a.exe and C:\b.exe", {}),
        (r"Evil and Foo with ImagePath C:\a.exe and C:\b.exe respectively", {}),
        (
            r"Evil (start type: auto-start, ImagePath: C:\Windows\evil.exe).",
            {"start_type": "auto", "binary_path": r"C:\Windows\evil.exe"},
        ),
        (
            "Service Name: Evil\nService File Name: C:\\a b.exe\nService Start Type: demand start",
            {"start_type": "manual", "binary_path": r"C:\a b.exe"},
        ),
    ],
)
def test_what_is_not_plain_is_nothing(text: str, expected: dict[str, object]) -> None:
    assert said("Evil", text) == expected


def test_a_name_for_display_is_no_name() -> None:
    text = "a service with the display name “Windows Update Helper” was seen"
    assert said("Windows Update Helper", text) == {"display_name": "Windows Update Helper"}
    assert rule("service_name", "services", "Windows Update Helper", text) is None


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("sc stop Evil\nsc delete Evil", None),
        ("sc stop Evil & sc delete Evil", None),
        ("It ran sc stop Evil and then sc delete Evil.", None),
        ("net stop Evil && net start Evil", None),
        ("sc stop Evil; sc.exe stop Evil", "stopped"),
        (r"sc create Evil binPath= C:\a.exe & sc description Evil Helper & sc start Evil", "created"),
        ("It installs a service named Evil, which was later deleted.", None),
        ("It created the service Evil. It was later deleted.", None),
        ("It created the service Evil. It deleted its own file.", "created"),
        ("It created the service Evil and started it.", "created"),
        ("It stopped the service Evil before deleting the file.", "stopped"),
        ("We recommend removing the Evil service.", None),
        ("Microsoft advises removing the Evil service.", None),
        ("This rule detects deleting the Evil service.", None),
        ("Administrators should run sc delete Evil.", None),
        ("The advisory says that it deleted the Evil service.", "deleted"),
        ("It avoids stopping the Evil service.", None),
        ("It disables logging of the service Evil.", None),
        ("It deletes the logs of the Evil service.", None),
        ("The driver installed by the service Evil was deleted.", None),
        ("The log of Evil was deleted.", None),
        ("In 2021 the service Evil was deleted.", "deleted"),
        ("A service with the name Evil was created.", "created"),
        ("It no longer hides, and stopped creating the Evil service.", None),
        ("It prevents users from deleting the Evil service.", None),
        ("It failed in creating the Evil service.", None),
        ("It checks whether another tool created the Evil service.", None),
        ("Look for processes creating the Evil service.", None),
        ("Monitor for tools that created the Evil service.", None),
        ("Alert when a process deletes the Evil service.", None),
        ("Remediation means deleting the Evil service.", None),
        ("To remove it, run sc delete Evil.", None),
        ("The service Evil was rarely started.", None),
        ("The service Evil was quickly started.", "started"),
        ("It failed to reach its server and deleted the Evil service.", "deleted"),
    ],
)
def test_what_is_done_to_a_service_is_one_thing_and_was_done(text: str, operation: str | None) -> None:
    assert rule("service_operation", "services", "Evil", text) == operation


def test_commands_that_say_different_things_say_none_of_them() -> None:
    text = "sc create Evil binPath= C:\\a.exe start= auto\nsc create Evil binPath= C:\\b.exe start= auto"
    assert said("Evil", text) == CREATED | {"start_type": "auto"}
