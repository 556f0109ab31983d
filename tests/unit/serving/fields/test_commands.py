"""The fields of a command line."""

import pytest

from tests.fields import rule


@pytest.mark.parametrize(
    ("name", "value", "text", "expected"),
    [
        ("first_token", "net user /domain", "", "net"),
        ("first_token", "2>&1 dir", "", None),
        ("first_token", '"C:\\Program Files\\a b.exe" -x', "", "C:\\Program Files\\a b.exe"),
        ("first_token", "“C:\\Program Files\\a b.exe” -x", "", "C:\\Program Files\\a b.exe"),
        ("first_token", "& 'C:\\a b\\c.ps1' -x", "", "C:\\a b\\c.ps1"),
        ("first_token", r"C:\Program Files\a\b.exe -x", "", r"C:\Program Files\a\b.exe"),
        ("first_token", r"C:\Windows\Temp\x -p C:\a\y.exe foo", "", r"C:\Windows\Temp\x"),
        ("first_token", r"C:\Windows\System32\rundll32 a.dll", "", r"C:\Windows\System32\rundll32"),
        # a name with a space, or a program with a file behind it
        ("first_token", r"C:\Program Files\a b.exe -x", "", None),
        ("first_token", r"C:\Program Files\foo\bar -x y.exe", "", None),
        ("first_token", "C:/a b/c.exe", "", None),
        ("first_token", 'cmd.exe" /c', "", None),
        # what stands before a program, or is joined to it
        ("first_token", "$ curl http://x", "", "curl"),
        ("first_token", "# id", "", "id"),
        ("first_token", r"PS C:\a b> whoami", "", "whoami"),
        ("first_token", r"C:\>whoami", "", "whoami"),
        ("first_token", r"C:\a.exe > out.txt", "", r"C:\a.exe"),
        ("first_token", "root@host:~# id", "", "id"),
        ("first_token", "FOO=bar BAR='a b' ./a.sh", "", "./a.sh"),
        ("first_token", "whoami&&hostname", "", "whoami"),
        ("first_token", "whoami;id", "", "whoami"),
        ("first_token", "cmd.exe/c dir", "", "cmd.exe"),
        ("first_token", "bin/x -a", "", "bin/x"),
        ("first_token", "IEX(New-Object x)", "", "IEX"),
        ("first_token", "%ProgramFiles(x86)%\\a.exe -x", "", "%ProgramFiles(x86)%\\a.exe"),
        ("first_token", "$x = iex foo", "", None),
        ("first_token", "(New-Object x).Run()", "", None),
        ("first_token", 'shell.run("a.exe")', "", None),
        ("wrapper_stripped", "net user", 'It ran "C:\\cmd.exe" /start min /c net user', True),
        ("wrapper_stripped", "net user", 'It ran cmd.exe /c"net user"', True),
        ("wrapper_stripped", "net user", 'It ran cmd.exe /d /s /c ""net user""', True),
        ("wrapper_stripped", "net user", "It ran cmd /min /c net user", True),
        ("wrapper_stripped", "net user", "It ran cmd /c (net user)", True),
        ("wrapper_stripped", "net user", "It ran cmd /c call net user", True),
        ("wrapper_stripped", "net user", "It ran cmd /c dir & net user", False),
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
