"""The fields of a registry key or value."""

import pytest

from tests.fields import rule

RUN = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run"
WINLOGON = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon"


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
        (
            rf"{RUN}\Upd",
            rf'`reg add {RUN} /v Upd /t REG_SZ /d "C:\a.exe"`',
            (RUN, "Upd", r"C:\a.exe", "REG_SZ", "created"),
        ),
        (
            rf"{RUN}\Upd",
            rf'reg add {RUN} /d "\"C:\Program Files\a.exe\" -x" /v Upd /f',
            (RUN, "Upd", r'"C:\Program Files\a.exe" -x', None, "created"),
        ),
        (rf"{RUN}\Upd", rf"reg add {RUN} /v Upd /d C:\Program Files\a.exe /f", (RUN, "Upd", None, None, "created")),
        (rf"{RUN}\Upd", rf"reg add {RUN} /v Upd /d cmd.exe /c calc /f", (RUN, "Upd", None, None, "created")),
        (
            rf"{WINLOGON}\Userinit",
            rf'cmd /c "reg add {WINLOGON} /v Userinit /t REG_SZ /d C:\a.exe"',
            (WINLOGON, "Userinit", r"C:\a.exe", "REG_SZ", "created"),
        ),
        (rf"{RUN}\Upd", f'[{RUN}]\n"Upd"="C:\\\\a.exe"\n"B"="c"', (RUN, "Upd", r"C:\a.exe", None, None)),
        (rf"{RUN}\Upd", rf'It did not set {RUN}\Upd to "x".', (RUN, "Upd", None, None, None)),
        (
            r"HKLM\A\RunAsPPL",
            r"HKLM\A\RunAsPPL was set to 1 minute ago",
            (r"HKLM\A", "RunAsPPL", None, None, "modified"),
        ),
        (r"HKLM\A\RunAsPPL", r"HKLM\A\RunAsPPL set to 0x0 (disabled)", (r"HKLM\A", "RunAsPPL", "0x0", None, None)),
        (r"HKLM\Software\A", "nothing of it", (r"HKLM\Software\A", None, None, None, None)),
    ],
)
def test_registry(value: str, text: str, expected: tuple[str | None, ...]) -> None:
    names = ("key", "value_name", "value_data", "value_type", "operation")
    assert tuple(rule(f"registry_{name}", "registry", value, text) for name in names) == expected
