"""The styles of the demo's training articles; its test set has them too, with other values."""

from ctiforge.demo.style import Style

_BLOG = Style(
    name="vendor blog",
    titles=("{N}: inside a new loader", "Tracking the {N} cluster", "A closer look at {N}"),
    openings=(
        "Our researchers have been tracking a threat actor we call {N} since early this year.",
        "In this post we describe a campaign that delivers the {N} malware to finance teams.",
        "Last month our telemetry flagged an unusual chain of events on several endpoints.",
    ),
    phrases={
        "cmdline": (
            "The operators then ran `{v}` to stage the next payload.",
            "Shortly after, the following command was executed:\n\n{v}\n",
            "We observed the attacker execute `{v}` on the first host.",
            "To stay hidden, the loader launches the command `{v}` before it exits.",
        ),
        "registry": (
            "For persistence, the malware writes to the registry key `{v}` and exits.",
            "A new value was added under the registry path {v} during the infection.",
            "It stores its configuration in the registry at `{v}`.",
        ),
        "services": (
            "The implant installs itself as a service named `{v}`.",
            "A malicious service called {v} was created on the domain controller.",
            "It then registers the service {v}, which starts with the system.",
        ),
        "scheduled_tasks": (
            "A scheduled task named `{v}` runs the loader every hour.",
            "The script registers the scheduled task {v} for persistence.",
            "Persistence is achieved with a task called `{v}`.",
        ),
        "process_lineage": (
            "In our telemetry, {p} spawned {c} within seconds.",
            "We saw `{p}` launching the child process `{c}`.",
            "The process {p} started {c}, which is not expected.",
        ),
        "hunt_queries": (
            "Defenders can hunt for this activity with the following query:\n\n{v}\n",
            "Hunting query: `{v}`",
        ),
    },
    distractors=(
        "The malware abuses PowerShell and certutil to download and decode further stages.",
        "Administrators can run `{b}` to verify that the patch is installed.",
        "No scheduled task was created on the second host.",
        "The group is known to use the Run key in the registry, but not in this case.",
        "Windows services are a popular target because they start before any user logs on.",
        "The domain {d} was registered a week earlier.",
    ),
    filler=(
        "The campaign targets organizations in the financial sector across several regions.",
        "The initial access vector was a phishing email with a document attachment.",
        "Based on the infrastructure, we assess with medium confidence that this is the work of one group.",
        "The {N} family has been sold on underground forums for about two years.",
        "Victims were selected with care, and the actor stayed in the network for weeks.",
        "The payload is packed with a custom packer that we have not seen before.",
        "Traffic to the control server is encrypted and looks like ordinary browsing.",
        "We have shared our findings with the affected vendors and with law enforcement.",
        "The loader checks the language of the system and exits on some of them.",
        "Similar techniques were described by other teams in earlier reports about {N}.",
    ),
    closings=("We will continue to track this activity.", "Customers are protected against this threat."),
)
_INCIDENT = Style(
    name="incident report",
    titles=("Incident report: intrusion at {N}", "Case {N}: from macro to ransomware"),
    openings=(
        "This report covers an intrusion that lasted eleven days and ended in ransomware.",
        "The case began when a user opened an archive that was downloaded from {d}.",
        "We were called in after the security team of the victim noticed failed logons.",
    ),
    phrases={
        "cmdline": (
            "On day two the threat actor typed the command below.\n\n    {v}\n",
            'The command line recorded for this process was "{v}".',
            "Discovery continued with the execution of the command:\n{v}\n",
            "The beacon was told to run\n\n{v}\n\nand nothing else on this host.",
        ),
        "registry": (
            'The registry key "{v}" was modified at the same time.',
            "Registry modification: {v}",
            "Persistence on the beachhead host was kept by the registry entry {v} until day nine.",
        ),
        "services": (
            'Event ID 7045 recorded the installation of the service "{v}".',
            "Lateral movement created a new service, {v}, on four servers.",
            "Service installed: {v}",
        ),
        "scheduled_tasks": (
            'Event ID 4698 shows that the scheduled task "{v}" was created.',
            "Scheduled task created: {v}",
            "On the file server the actor left behind a scheduled task with the name {v}.",
        ),
        "process_lineage": (
            "Parent process {p} created the child process {c}.",
            'According to the event log, "{c}" was a child of "{p}".',
            "Process tree: {p} -> {c}",
        ),
        "hunt_queries": (
            "Detection query used during the investigation:\n{v}\n",
            'The query "{v}" finds the same behaviour elsewhere.',
        ),
    },
    distractors=(
        "The threat actor used built-in commands to list users and groups.",
        "The help desk asked the user to run {b} before we arrived.",
        "We found no evidence of new services on the backup server.",
        "The task of the second beacon was to collect credentials.",
        "A registry hive was copied for analysis, but nothing in it was changed.",
        "explorer.exe is the Windows shell and was running as usual.",
    ),
    filler=(
        "Time to ransomware was about two hundred hours in this case.",
        "The first beacon connected to its server four minutes later.",
        "Credentials of a local administrator were used for most of the lateral movement.",
        "Data was staged in a single archive and sent to a cloud storage provider.",
        "The threat actor returned on day five after a long pause.",
        "Logs from the firewall show connections to {d} over the same period.",
        "The hosts were isolated after the first alerts were confirmed.",
        "A review of the timeline is given in the table at the end of the report.",
        "The same account was later seen on the {N} file server.",
        "The actor disabled the security tools by hand on each of the hosts.",
    ),
    closings=("The environment was rebuilt from backups.", "No ransom was paid in this case."),
)
_ADVISORY = Style(
    name="government advisory",
    titles=("Joint advisory: {N} activity", "Alert on exploitation by {N} actors"),
    openings=(
        "SUMMARY\nThis advisory describes tactics, techniques and procedures of the {N} actors.",
        "The authoring agencies urge organizations to apply the mitigations in this advisory.",
        "SUMMARY\nSince spring, actors have exploited public-facing applications to gain access.",
    ),
    phrases={
        "cmdline": (
            "Execution [T1059]: actors have been observed executing '{v}'.",
            "Command used by the actors:\n- {v}",
            "Actors leveraged living-off-the-land binaries, for example:\n- {v}",
        ),
        "registry": (
            "Modify Registry [T1112]: the actors modified {v} on victim systems.",
            "Registry key used by the actors:\n- {v}",
        ),
        "services": (
            "Windows Service [T1543.003]: the actors created the service '{v}'.",
            "Service used by the actors:\n- {v}",
        ),
        "scheduled_tasks": (
            "Scheduled Task [T1053.005]: the actors created the task '{v}'.",
            "Scheduled task used by the actors:\n- {v}",
        ),
        "process_lineage": (
            "Actors caused the process {p} to spawn {c} on victim systems.",
            "Suspicious process creation: parent {p}, child {c}",
        ),
        "hunt_queries": (
            "Organizations should hunt with this query:\n- {v}",
            "Recommended detection query: '{v}'",
        ),
    },
    distractors=(
        "Organizations should disable command-line and scripting activities where not needed.",
        "Run '{b}' to confirm that the update was applied.",
        "Review scheduled tasks and services for entries that are not recognized.",
        "Restrict changes to the registry to administrators.",
        "Actors may use PowerShell, WMI or remote services to move laterally.",
        "The domain {d} is no longer in use by the actors.",
    ),
    filler=(
        "MITIGATIONS\nRequire multifactor authentication for all remote access.",
        "Keep all operating systems and software up to date.",
        "The actors target government, defense and critical infrastructure entities.",
        "Initial access was gained through a known vulnerability in a remote access product.",
        "Segment networks to prevent the spread of ransomware.",
        "Report incidents to the authoring agencies without delay.",
        "The actors are known to exfiltrate data before they encrypt it.",
        "Maintain offline backups of data and test that they can be restored.",
        "The {N} actors have operated since at least two years before this advisory.",
        "Audit user accounts with administrative privileges on a regular basis.",
    ),
    closings=("DISCLAIMER\nThe information is provided as is.", "CONTACT\nReport activity to the agencies."),
)
_NOTES = Style(
    name="malware analysis",
    titles=("{N} malware analysis", "Reversing {N}", "Notes on the {N} backdoor"),
    openings=(
        "The sample is a 64-bit binary written in C++ and packed with a modified packer.",
        "A new variant of the {N} backdoor was uploaded to a public sandbox this week.",
        "This note documents the behaviour of a sample in our sandbox.",
    ),
    phrases={
        "cmdline": (
            "CreateProcessW is called with the command line `{v}`.",
            "The sample calls WinExec:\n\n```\n{v}\n```\n",
            "Decrypted string at run time: `{v}` (passed to system).",
        ),
        "registry": (
            "RegSetValueExW is called on `{v}`.",
            "The function at offset 0x40 opens the key {v} and writes its id.",
        ),
        "services": (
            "CreateServiceW is called with the name `{v}`.",
            "The dropper registers {v} as a service and starts it.",
        ),
        "scheduled_tasks": (
            "Through the task scheduler COM interface it registers `{v}`.",
            "The dropper creates a task, {v}, that runs at logon.",
        ),
        "process_lineage": (
            "When executed, `{p}` creates `{c}` in a suspended state.",
            "The sandbox shows {p} as the parent of {c}.",
        ),
        "hunt_queries": (
            "A query to find the sample: `{v}`",
            "Query:\n\n```\n{v}\n```\n",
        ),
    },
    distractors=(
        "The command handler supports shell, upload and download commands.",
        "To debug the sample we ran `{b}` in the virtual machine.",
        "The string table mentions services.exe, but the string is never used.",
        "It resolves the registry functions by hash.",
        "The scheduler thread wakes up every five minutes.",
        "The resource section holds an encrypted list of domains such as {d}.",
    ),
    filler=(
        "Strings are encrypted with a rolling key that is stored in front of the data.",
        "The import table is small, since most functions are resolved at run time.",
        "The configuration is decrypted with a hard-coded key of sixteen bytes.",
        "Anti-analysis checks include the number of processors and the uptime.",
        "The main thread sleeps for a random time between two connections.",
        "The network protocol uses JSON over TLS with a fixed user agent.",
        "The code overlaps with older samples of {N}, mainly in the packer.",
        "A mutex prevents that two copies run at the same time.",
        "The binary is signed with a certificate that was revoked later.",
        "The second stage is loaded into memory and never touches the disk.",
    ),
    closings=("Hashes are listed in the appendix.", "A rule for this family is available on request."),
)
_BULLETIN = Style(
    name="short bulletin",
    titles=("Threat bulletin {N}", "Daily brief: {N}"),
    openings=(
        "Overview: a new wave of attacks was reported by several customers.",
        "Threat level: high. Platform: see below.",
        "Summary of what is known about {N} so far.",
    ),
    phrases={
        "cmdline": ("Command line: {v}", "* Executes: `{v}`", "Observed command - {v}"),
        "registry": ("Registry: {v}", "* Registry key: `{v}`", "Modified registry key - {v}"),
        "services": ("Service name: {v}", "* Creates service: `{v}`", "Installed service - {v}"),
        "scheduled_tasks": ("Task name: {v}", "* Creates scheduled task: `{v}`", "Scheduled task - {v}"),
        "process_lineage": ("Process chain: {p} -> {c}", "* Parent: {p}, child: {c}", "Process tree - {p} > {c}"),
        "hunt_queries": ("Query: {v}", "* Hunt: `{v}`", "Hunting query - {v}"),
    },
    distractors=(
        "Recommended check: {b}",
        "* Uses PowerShell and scheduled tasks",
        "Registry: no changes seen",
        "Services: none",
        "* Domain: {d}",
        "Tool - certutil.exe",
    ),
    filler=(
        "Sector: finance, energy",
        "* Initial access by phishing",
        "Confidence - medium",
        "First seen in {N} samples",
        "* Encrypts files on network shares",
        "Attribution: unknown",
        "Delivery - email attachment",
        "* Steals browser credentials",
        "Status: ongoing",
        "Related: {N}",
    ),
    closings=("End of bulletin.", "Updates will follow."),
    paragraph_break="\n",
)
_WIKI = Style(
    name="knowledge base",
    titles=("{N} (software)", "Group profile: {N}"),
    openings=(
        "{N} is a modular backdoor that has been in use since at least last year.",
        "{N} is a group that targets telecommunication providers.",
        "{N} is a tool used for remote administration and for attacks alike.",
    ),
    phrases={
        "cmdline": (
            "{N} has used the command `{v}` for execution.",
            'During one operation, {N} ran "{v}" on the victim.',
            "{N} can execute `{v}` through its shell module.",
        ),
        "registry": (
            "{N} has added the registry key `{v}` to persist.",
            "{N} can store data in `{v}` of the registry.",
        ),
        "services": (
            "{N} has created a service named `{v}` for persistence.",
            "{N} can run as the service `{v}`.",
        ),
        "scheduled_tasks": (
            "{N} has created the scheduled task `{v}` to run at logon.",
            "{N} can persist with a scheduled task named `{v}`.",
        ),
        "process_lineage": (
            "{N} has injected code so that {p} spawns {c}.",
            "{N} has been started as {c} by its parent process {p}.",
        ),
        "hunt_queries": (
            "Analytic: `{v}`",
            "Detection of {N} is possible with the query `{v}` in most environments.",
        ),
    },
    distractors=(
        "{N} has used cmd.exe and PowerShell for execution.",
        "Monitor executed commands and arguments such as {b} in the environment.",
        "{N} has used scheduled tasks and services in other operations.",
        "{N} can query the registry for installed software.",
        "{N} has communicated with {d} over port 443.",
        "Monitor for child processes of services.exe that are unusual.",
    ),
    filler=(
        "{N} has used phishing with links to gain initial access.",
        "{N} can capture the screen and log keystrokes.",
        "{N} has encrypted its traffic with a custom algorithm.",
        "{N} can upload and download files to and from the victim.",
        "{N} has been attributed to the same operators with low confidence.",
        "{N} has exfiltrated data over its control channel.",
        "{N} can list the files and folders of connected drives.",
        "{N} has hidden its windows from the user of the system.",
        "{N} has searched for documents with certain extensions.",
        "{N} can collect the name of the host and of the user.",
    ),
    closings=("Version 1.0 of this page.", "References are listed below."),
    paragraph_break="\n",
)

SEEN = (_BLOG, _INCIDENT, _ADVISORY, _NOTES, _BULLETIN, _WIKI)
BENIGN_COMMANDS = (
    "sfc /scannow",
    "gpupdate /force",
    "winver",
    "wmic qfe list",
    "systeminfo",
    "chkdsk /f",
    "netsh winhttp show proxy",
    "apt list --upgradable",
    "uname -r",
    "Get-HotFix",
    "dism /online /cleanup-image",
    "ipconfig /flushdns",
)
