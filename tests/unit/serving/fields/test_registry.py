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
        (RUN, rf'reg add "{RUN}" /v Updater /t REG_SZ /d C:\a.exe', (RUN, None, None, None, "modified")),
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


LSA = r"HKLM\SYSTEM\CurrentControlSet\Control\Lsa"
DIGEST = r"HKLM\SYSTEM\A\WDigest"


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        (rf"reg add {LSA}", "created"),
        (rf"reg add {LSA} /v RunAsPPL /d 0", "modified"),
        (rf"reg add {LSA} /ve /d x", "modified"),
        (rf"reg delete {LSA} /f", "deleted"),
        (rf"reg delete {LSA} /v RunAsPPL /f", "modified"),
        (rf"reg delete {LSA} /va /f", "modified"),
        (rf"reg query {LSA} /v RunAsPPL", "queried"),
        (rf"Remove-ItemProperty -Path {LSA} -Name RunAsPPL", "modified"),
        (rf"reg add {LSA} /f\nreg add {LSA} /v A /d 1", "created"),
        (rf"The setting {LSA} controls sign-in.", None),
        (rf"It set {LSA} to another one.", "modified"),
    ],
)
def test_who_writes_or_deletes_a_value_changes_its_key(text: str, operation: str | None) -> None:
    assert rule("registry_operation", "registry", LSA, text) == operation


@pytest.mark.parametrize(
    ("text", "data", "operation"),
    [
        (rf"reg query {DIGEST} /v UseLogonCredential & reg delete {DIGEST} /v UseLogonCredential /f", None, None),
        (
            rf"reg add {DIGEST} /v UseLogonCredential /d 1" "\n" rf"reg delete {DIGEST} /v UseLogonCredential",
            *(None, None),
        ),
        (
            rf"reg add {DIGEST} /v UseLogonCredential /d 1" "\n" rf"reg add {DIGEST} /v UseLogonCredential /d 0",
            *(None, "created"),
        ),
        (rf"It sets {DIGEST}\UseLogonCredential to 1.", "1", "modified"),
        (rf"It sets {DIGEST}\UseLogonCredential to 1, and later removes it.", None, None),
        (rf"{DIGEST}\UseLogonCredential is set to 1 and later removed.", None, None),
        (rf"It creates {DIGEST}\UseLogonCredential and then deletes it.", None, None),
        (rf"It creates {DIGEST}\UseLogonCredential and then deletes shadow copies.", None, "created"),
        (rf"We recommend setting {DIGEST}\UseLogonCredential to 0.", None, None),
        (rf"Defenders: make sure {DIGEST}\UseLogonCredential is set to 0.", None, None),
        (rf"{DIGEST}\UseLogonCredential is set to 0 by default.", None, None),
        (rf"To prevent theft, set {DIGEST}\UseLogonCredential to 0.", None, None),
        (rf"Verify that {DIGEST}\UseLogonCredential is set to 0.", None, None),
        (rf"When {DIGEST}\UseLogonCredential is set to 1, passwords are kept.", None, None),
        (rf"It looks for {DIGEST}\UseLogonCredential = 1 and exits.", None, None),
        (rf"When it ran, it set {DIGEST}\UseLogonCredential to 1.", "1", "modified"),
        (rf"It searches for tools and sets {DIGEST}\UseLogonCredential to 1.", "1", "modified"),
        (rf"To ensure access, it set {DIGEST}\UseLogonCredential to 1.", "1", "modified"),
        (rf"Against Microsoft Defender, it set {DIGEST}\UseLogonCredential to 1.", "1", "modified"),
    ],
)
def test_a_value_of_which_more_is_said_or_advised(text: str, data: str | None, operation: str | None) -> None:
    value = rf"{DIGEST}\UseLogonCredential"
    said = tuple(rule(f"registry_{name}", "registry", value, text) for name in ("value_data", "operation"))
    assert said == (data, operation)
