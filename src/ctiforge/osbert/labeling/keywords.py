"""A transparent rule labeler: which operating system an article is about, by the traces that each one leaves in it.

A cue says one thing about one system, strongly or weakly, and counts once however often it occurs,
so that no article is decided by repetition; in a menu of the site it does not count. A system is
shown when its cues together reach `THRESHOLD` and `SHARE` of the most that any system reaches, of
which what is beyond `ENOUGH` counts `BEYOND`; two or more shown are `multiple`.
"""

import re
from bisect import bisect
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass

from ctiforge.osbert.labeling.flags import flags_of
from ctiforge.osbert.labeling.menus import menus_of
from ctiforge.osbert.opinions import Opinion, Unlabeled
from ctiforge.records.article import OsLabel
from ctiforge.records.os_article import Evidence

STRONG = 3
WEAK = 1
THRESHOLD = 3
ENOUGH = 15
"""More weight than this says less: long articles about one system show dozens of its cues."""
BEYOND = 0.25
"""Beside nearly all of one system's cues (60) another is shown by four strong ones, not by two in passing."""
SHARE = 0.4
CONTEXT = 40
"""Characters of the article that a quote shows on either side of the cue."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What speaks for one system: wherever `pattern` matches."""

    label: OsLabel
    name: str
    weight: int
    pattern: re.Pattern[str]


class CueEvidence(Evidence):
    """Where a cue stands (`start` to `end`), with the text around it as its quote, white space folded."""

    cue: str


class KeywordLabeler:
    """The rule as a labeler; an opinion shows the first place of every cue."""

    name = "keywords"

    def label(self, articles: Iterable[Unlabeled]) -> Generator[tuple[Unlabeled, Opinion]]:
        """Label each article, in the order given; one that shows no system is Unknown."""
        for article in articles:
            evidence = find_evidence(article.content)
            firsts = {each.cue: each for each in reversed(evidence)}
            shown = tuple(sorted(firsts.values(), key=_place))
            yield article, Opinion(decide(evidence), shown, flags_of(f"{article.title}\n{article.content}"))


def find_evidence(content: str) -> list[CueEvidence]:
    """Find every place of every cue outside the site's menus; the time is linear in the text's length.

    Args:
        content: The article's text.

    Returns:
        The places in the order of the text.
    """
    found = []
    menus = menus_of(content)
    for cue in CUES:
        for match in cue.pattern.finditer(content):
            start, end = match.span()
            place = bisect(menus, (start, len(content))) - 1
            if place >= 0 and start < menus[place][1]:
                continue
            quote = " ".join(content[max(0, start - CONTEXT) : end + CONTEXT].split())
            found.append(CueEvidence(label=cue.label, quote=quote, start=start, end=end, cue=cue.name))
    return sorted(found, key=_place)


def decide(evidence: Iterable[CueEvidence]) -> OsLabel:
    """Decide which label the evidence adds up to; `Unknown` where it shows no system."""
    shown = systems_of(evidence)
    return "multiple" if len(shown) > 1 else shown[0] if shown else "Unknown"


def systems_of(evidence: Iterable[CueEvidence]) -> list[OsLabel]:
    """Choose the systems that the evidence shows: those of enough weight, also beside the strongest."""
    weights = weigh(evidence)
    strongest = max(weights.values(), default=0)
    most = min(strongest, ENOUGH) + BEYOND * max(strongest - ENOUGH, 0)
    return [label for label, weight in weights.items() if weight >= max(THRESHOLD, SHARE * most)]


def weigh(evidence: Iterable[CueEvidence]) -> dict[OsLabel, int]:
    """Weigh each system by its different cues; a system without a cue is not in it."""
    weights: dict[OsLabel, int] = defaultdict(int)
    for name in sorted({each.cue for each in evidence}):
        weights[CUE[name].label] += CUE[name].weight
    return dict(weights)


def _place(evidence: CueEvidence) -> tuple[int, int, str]:
    return evidence.start, evidence.end, evidence.cue


def _cues(label: OsLabel, weight: int, patterns: dict[str, str]) -> Iterator[Cue]:
    for name, pattern in patterns.items():
        yield Cue(label, f"{label}: {name}", weight, re.compile(pattern))


# Each pattern begins with what is rare and repeats nothing without a bound: a megabyte is read in linear time.
_WINDOWS_STRONG = {
    # not "Windows of opportunity"
    "Windows": r"\b(?:Windows|WINDOWS)\b(?! of\b)|\bwindows (?:\d|server|host|machine|system|box|user|service)",
    "PowerShell": r"\b(?i:powershell|pwsh)\b",
    "cmd.exe": r"\b(?i:cmd\.exe|cmd /[ck]|%comspec%)",
    "registry path": r"\b(?:(?i:HKLM|HKCU|HKCR|HKU)\b(?=[:\\])|HKEY_[A-Z]|(?i:reg(?:\.exe)? (?:add|query|save) ))",
    "drive path": r"\b[A-Za-z]:\\{1,2}(?i:windows|users|programdata|program files|perflogs|temp|inetpub|\w{1,30}\\)",
    "environment variable": r"%(?i:(?:local)?appdata|programdata|te?mp|userprofile|public|systemroot|windir)%",
    "system program": (
        r"\b(?i:rundll32|regsvr32|mshta|msiexec|wscript|cscript|certutil|bitsadmin|svchost|lsass|wmiprvse|"
        r"winlogon|explorer\.exe|msbuild|installutil|psexec|procdump|conhost|dllhost)\b"
    ),
    "scheduled task": r"\b(?i:schtasks|Register-ScheduledTask|taskeng\.exe|at\.exe)\b",
    "Active Directory": r"\b(?:Active\s{1,3}Directory|ntds\.dit|NTDS|DCSync|SYSVOL|Group\s{1,3}Polic(?:y|ies))\b",
    "recovery program": r"\b(?i:vssadmin|wbadmin|bcdedit|wevtutil|fsutil|shadow cop(?:y|ies))\b",
    "administration": r"\b(?i:wmic|net1?(?:\.exe)? (?:user|group|localgroup|use|view)|nltest|sc(?:\.exe)? create)\b",
    "event id": r"\b(?i:Event\s{0,3}ID|EventCode)s?\b",
    "program file": r"(?<=\w)\.(?i:exe)\b",
    "library": r"(?<=\w)\.(?i:dll)\b|\bDLL\s{1,3}(?i:side-?\s?load|hijack|search order)",
    "API": r"\b(?:VirtualAlloc|CreateRemoteThread|WriteProcessMemory|LoadLibrary|GetProcAddress|CreateProcess)",
    "Win32": r"\b(?:Win32|WinAPI|WinRM|WMI|NTLM|WSUS|LOLBAS|AMSI|ETW)\b",
    "script file": r"(?<=\w)\.(?i:ps1|bat|vbs|lnk|hta|msi)\b",
}
_WINDOWS_WEAK = {
    "DLL": r"\bDLLs?\b",
    "registry": r"\b(?i:registry)\b(?= (?i:key|value|run|hive|entr|persist|modif))",
    "domain controller": r"\b(?i:domain) (?i:controller|admin)s?\b",
    "remote desktop": r"\b(?:RDP|Remote\s{1,3}Desktop)\b",
    "Sysmon": r"\bSysmon\b",
    "Defender": r"\b(?:Microsoft|MS)\s{1,3}Defender\b",
    "Microsoft product": r"\b(?:IIS|SharePoint|Outlook|Exchange Server|Office 365|Internet Explorer)\b",
    "portable executable": r"\b(?:PE32\+?|PE64|PE (?:file|header|section)s?|[Pp]ortable\s{1,3}[Ee]xecutables?)\b",
    "scheduled tasks by name": r"\b(?i:scheduled task)s?\b",
}
_LINUX_STRONG = {
    # an attacker's own machine and a foundation say nothing about the victim's
    "Linux": r"(?<!Kali )(?<!Kali-)\b(?i:linux)\b(?!\s(?i:foundation))",
    "distribution": r"\b(?:Ubuntu|Debian|RHEL|CentOS|Fedora|AlmaLinux|Rocky\sLinux|SUSE|Red\sHat|Amazon\sLinux)\b",
    "ELF": r"\bELF(?:32|64)?\b",
    "systemd": r"\b(?:systemd|systemctl|journalctl)\b|(?<=\w)\.service\b(?=[\s`'\",;)]|\.?$)",
    "cron": r"\b(?:crontabs?|anacron)\b|/etc/cron|/var/spool/cron|\bcron\s(?:job|entry|entries|task)s?\b",
    "configuration file": r"(?<![\w.:/-])/etc/(?:passwd|shadow|systemd|init|rc|ld\.so|ssh|profile|sudoers|udev|pam)",
    "temporary folder": r"(?<![\w.-])(?:/var/tmp\b|/dev/shm\b)",
    "kernel": r"(?<![\w.-])/proc/(?:self|\d|\$|sys|net|mounts|cpuinfo)|\b(?:insmod|modprobe|eBPF|LKM)\b",
    "loader": r"\b(?:LD_PRELOAD|LD_LIBRARY_PATH|glibc|ld-linux)\b|(?<=\w)\.so(?:\.\d{1,3}){0,3}\b(?=[\s`'\",;)])",
    "package manager": r"\b(?:apt-get|apt install|yum install|dnf install|dpkg)\b",
    "administration": r"\b(?:iptables|useradd|usermod|setenforce|auditd|SELinux|AppArmor|rsyslog|authorized_keys)\b",
    "small system": r"\b(?:BusyBox|busybox|OpenWrt|OpenWRT|uClibc|musl)\b",
}
_LINUX_WEAK = {
    "bash": r"\b[bB]ash\b(?!\.exe)|/bin/(?:ba|da)?sh\b",
    "chmod": r"\bchmod\s(?:\+x|[0-7]{3,4}\b|[augo]{1,3}\+)",
    "temporary file": r"(?<![\w.:/~-])/tmp/",
    "system folder": r"(?<![\w.:/-])/(?:usr/s?bin|usr/local|opt|root|lib64|home|sbin|var/(?:log|lib|run|www))/",
    "settings folder": r"(?<![\w.:/-])/etc/",
    "shell command": r"\b(?:nohup|wget\s-|sudo|chattr|setuid|/dev/null)\b",
    "shell profile": r"(?:~|\$HOME|\w)/\.(?:bashrc|bash_profile|profile|ssh)\b",
    "ESXi": r"\bESXi\b",
    "Unix": r"\b(?:Unix|UNIX)\b",
}
_MACOS_STRONG = {
    "macOS": r"\b(?i:mac\s?os)\b(?:\sX\b)?|\bOS\s?X\b",
    "launchd": r"\b(?:launchctl|launchd|Launch\s?Daemons?|Launch\s?Agents?)\b",
    "property list": r"(?<=\w)\.plist\b|\bPlistBuddy\b|\bplutil\b",
    "AppleScript": r"\b(?i:osascript|osacompile|AppleScript)\b|(?<=\w)\.(?:scpt|applescript)\b",
    # .app alone is also a domain
    "application bundle": r"(?<=\w)\.app/Contents\b|(?<![\w.:-])/Applications/",
    "disk image": r"(?<=\w)\.dmg\b|\bDMG\b|\bhdiutil\b",
    "Mach-O": r"\b(?i:mach-o)\b",
    "protection": r"\b(?:XProtect|com\.apple\.quarantine|spctl|csrutil|[Nn]otari[sz](?:ed|ation)|codesign|TCC\.db)\b",
    "keychain": r"\blogin\.keychain(?:-db)?\b|\b(?i:iCloud|macOS|login)\s{1,3}[Kk]eychain\b|\bdump-keychain\b",
    "library folder": (
        r"(?:~|\$HOME|(?<![\w.:-])/Users/[\w.$<>{}-]{1,40})/Library/|(?<![\w.:/-])/Library/(?:Launch|Application)"
    ),
    "bundle identifier": r"\bcom\.apple\.\w",
    "system command": r"\b(?:sw_vers|system_profiler|dscl|ioreg|dscacheutil|networksetup|scutil|xattr|mdfind)\b",
}
_MACOS_WEAK = {
    "Apple": r"\bApple\b",
    "Mac": r"\bMacs?\b(?!\s?(?i:os|address))|\bMac[bB]ooks?\b",
    "Gatekeeper": r"\bGatekeeper\b",
    "Keychain": r"\bKeychain\b",
    "application": r"\b[A-Z]\w{1,30}\.app\b(?!\.)",
    "home folder": r"(?<![\w.:/-])/Users/",
    "zsh": r"\b(?:zsh|\.zshrc|\.zshenv)\b",
    "installer": r"(?<=\w)\.pkg\b",
    "Xcode": r"\b(?:Xcode|Homebrew|Swift|Objective-C)\b",
    "Apple processor": r"\b(?:Apple\s[Ss]ilicon|arm64e)\b",
}

CUES: tuple[Cue, ...] = (
    *_cues("Windows", STRONG, _WINDOWS_STRONG),
    *_cues("Windows", WEAK, _WINDOWS_WEAK),
    *_cues("Linux", STRONG, _LINUX_STRONG),
    *_cues("Linux", WEAK, _LINUX_WEAK),
    *_cues("MacOS", STRONG, _MACOS_STRONG),
    *_cues("MacOS", WEAK, _MACOS_WEAK),
)
CUE = {cue.name: cue for cue in CUES}
