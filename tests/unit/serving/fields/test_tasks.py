"""The fields of a scheduled task."""

import pytest

from tests.fields import rule

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
    ("text", "trigger", "principal"),
    [
        (r"`schtasks /create /tn Upd /tr C:\a.exe /sc daily /ru SYSTEM`", "daily", "SYSTEM"),
        (r"It ran schtasks /create /tn Upd /tr C:\a.exe /sc onlogon /ru SYSTEM.", "onlogon", "SYSTEM"),
        (r"“schtasks /create /tn Upd /tr C:\a.exe /sc minute /mo 5”", "minute /mo 5", None),
        ('schtasks /create /tn Upd /tr "cmd /c foo /sc hourly /ru bob" /sc daily /ru SYSTEM', "daily", "SYSTEM"),
        ("schtasks /create /tn Upd /tr a.exe, then it ran at.exe with /sc daily and /ru bob", None, None),
        ("schtasks /create /tn Upd /tr a.exe and then it ran at.exe with /sc daily and /ru bob", None, None),
        (r"schtasks /create /tn Upd /sc minute /tr C:\Program Files\a.exe /mo 5 /ru SYSTEM", None, None),
        ("schtasks /create /tn Upd /sc minute, /mo 5", None, None),
        ("schtasks /create /tn Upd /ru NETWORK SERVICE", None, None),
        ('schtasks /create /tn "Upd Old" /sc daily', None, None),
        (r'schtasks /create /sc daily /tn "\Microsoft\Windows\Upd" /tr "a.exe"', "daily", None),
        (
            'Register-ScheduledTask -Trigger (New-ScheduledTaskTrigger -AtLogOn) -TaskName "Upd" -User SYSTEM',
            *("AtLogOn", "SYSTEM"),
        ),
        ("Register-ScheduledTask -TaskName Upd -Trigger $t -User $u", None, None),
        ("Unlike Upd, the task Foo runs daily as SYSTEM.", None, None),
        ("The tasks Foo and Upd run hourly and daily.", None, None),
        ("The task Upd runs daily and weekly as SYSTEM.", None, "SYSTEM"),
        ("The task Upd does not run at logon.", None, None),
        ("Upd, a copy of the task that is triggered daily as SYSTEM, is legitimate.", None, None),
        ("The task Upd runs a script that beacons every 5 minutes.", None, None),
        ("The task Upd was created by a dropper that runs daily.", None, None),
        ("The tasks Foo and Upd run every 10 minutes and every hour respectively.", None, None),
        ("The task Upd was set to run daily as a system service.", "daily", None),
        ("The task Upd (runs daily, as the user bob) was created.", "daily", "bob"),
        (
            r"Upd executes C:\a.exe with highest privileges whenever a user logs on.",
            *("whenever a user logs on", "highest privileges"),
        ),
        (
            r"<URI>\Upd</URI> <LogonTrigger><UserId>S-1-1-0</UserId></LogonTrigger> <UserId>S-1-5-18</UserId>",
            *("LogonTrigger", "S-1-5-18"),
        ),
    ],
)
def test_when_and_as_whom_a_task_runs(text: str, trigger: str | None, principal: str | None) -> None:
    said = tuple(rule(f"task_{name}", "scheduled_tasks", "Upd", text) for name in ("trigger", "principal"))
    assert said == (trigger, principal)


def test_an_operation_that_is_denied_is_none() -> None:
    assert rule("task_operation", "scheduled_tasks", "Upd", "It never created the task Upd.") is None


@pytest.mark.parametrize(
    ("text", "trigger", "operation"),
    [
        ("schtasks /create /sc daily /tn Upd /tr a.exe\nschtasks /delete /tn Upd /f", None, None),
        ("schtasks /create /sc daily /tn Upd /tr a.exe\nschtasks /run /tn Upd", "daily", "created"),
        ("schtasks /create /sc daily /tn Upd & schtasks /create /sc hourly /tn Upd", None, "created"),
        ("schtasks /run /tn Upd && schtasks /delete /tn Upd", None, None),
        ("It created the task Upd and removed it afterwards.", None, None),
        ("The task Upd is set to run at logon and later changed to run daily.", None, None),
        ("The task Upd is set to run at logon and later deletes shadow copies.", "at logon", None),
        ("We recommend deleting the scheduled task Upd.", None, None),
        ("Defenders can delete the task Upd by schtasks /tn Upd /delete", None, None),
        ("A task can be seen: schtasks /create /tn Upd /sc daily", "daily", "created"),
    ],
)
def test_a_task_of_which_more_is_said_or_advised(text: str, trigger: str | None, operation: str | None) -> None:
    said = tuple(rule(f"task_{name}", "scheduled_tasks", "Upd", text) for name in ("trigger", "operation"))
    assert said == (trigger, operation)


@pytest.mark.parametrize(
    ("words", "principal"),
    [
        ("executes with user input", None),
        ("runs the payload with user interaction daily", None),
        ("runs a command under user profile", None),
        ("runs as user account", None),
        (r"runs a.exe with user C:\Users\bob", None),
        (r"runs a.exe as user C:\Users\bob", None),
        ("runs daily under the SYSTEM account", "SYSTEM"),
        ("runs with SYSTEM privileges", "SYSTEM"),
        ("runs as SYSTEM", "SYSTEM"),
        (r"runs daily as the user CORP\bob.", r"CORP\bob"),
        ("runs under user svc_backup$ at logon", "svc_backup$"),
    ],
)
def test_only_an_account_is_a_principal(words: str, principal: str | None) -> None:
    assert rule("task_principal", "scheduled_tasks", "Upd", f"The task Upd {words}") == principal


def test_the_path_of_a_tasks_file_is_no_name() -> None:
    value = r"C:\Windows\System32\Tasks\Upd"
    said = {name: rule(f"task_{name}", "scheduled_tasks", value, f"It wrote {value}.") for name in TASK}
    assert {name: each for name, each in said.items() if each} == {"store_path": value}
