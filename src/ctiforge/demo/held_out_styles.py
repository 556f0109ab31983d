"""Styles that are in the demo's test set alone: what a model makes of wording it has never seen."""

from ctiforge.demo.style import Style

_THREAD = Style(
    name="social thread",
    titles=("Thread on {N}", "Quick notes about {N}"),
    openings=("1/ Found something interesting about {N} today.", "New {N} sample, let me walk you through it."),
    phrases={
        "cmdline": (
            "next it fires off `{v}` and waits",
            "cmd seen in the wild:\n{v}\n",
            "then someone on the keyboard pasted `{v}` into a shell",
        ),
        "registry": (
            "reg persistence sits in `{v}`",
            "check this registry location on your boxes: {v}",
        ),
        "services": (
            "look for a new service on the box: `{v}`",
            "it hides behind a service that calls itself {v}",
        ),
        "scheduled_tasks": (
            "comes back after reboot thanks to the sched task `{v}`",
            "also drops a scheduled job: {v}",
        ),
        "process_lineage": (
            "weird parent/child: {p} kicking off {c}",
            "if you see {p} as a parent and {c} as its child, worry",
        ),
        "hunt_queries": ("quick hunt for you all:\n{v}\n", "my search for it: `{v}`"),
    },
    distractors=(
        "as always, lots of PowerShell and the usual services abuse",
        "pro tip, {b} tells you whether you are patched",
        "registry and scheduled tasks look clean on the second box",
        "c2 was at {d}, already down",
    ),
    filler=(
        "lure was an invoice again, people still click",
        "packer is new to me, strings look like {N}",
        "sandbox timed out on it twice, so it sleeps a lot",
        "overlaps with what we saw last month",
        "great work by the team that found the dropper first",
        "config extraction is easy once you find the key",
        "infra is cheap hosting, the usual providers",
    ),
    closings=("end of thread", "samples are on the usual sites"),
    paragraph_break="\n",
)
_RESPONDER = Style(
    name="responder narrative",
    titles=("What the {N} affiliate did after lunch", "Lessons from a {N} engagement"),
    openings=(
        "Most engagements start with a phone call, and this one was no different.",
        "By the time we had collected the disk images, the affiliate of {N} was long gone.",
    ),
    phrases={
        "cmdline": (
            "Console history on the server still held the operator's input:\n\n{v}\n",
            "The prefetch files and the logs agree that `{v}` had been invoked there.",
            "What was typed next, `{v}`, told us a great deal about the operator.",
        ),
        "registry": (
            "Among the autoruns we noticed an entry at `{v}` that nobody could explain.",
            "A comparison of the hives pointed to {v} as the place where it survived reboots.",
        ),
        "services": (
            "The service control manager had logged a newcomer: `{v}`.",
            "Nobody in the IT team recognised {v}, a service that had appeared overnight.",
        ),
        "scheduled_tasks": (
            "In the task scheduler library an unfamiliar entry, `{v}`, was waiting.",
            "A job scheduled under the name {v} brought the intruder back each morning.",
        ),
        "process_lineage": (
            "The EDR tree showed {c} hanging below {p}, which made no sense.",
            "It was {p} that had given birth to {c}, so we followed that trail.",
        ),
        "hunt_queries": (
            "We swept the estate with this search:\n\n{v}\n",
            "The search `{v}` returned three more machines.",
        ),
    },
    distractors=(
        "We checked services and scheduled jobs on the remaining hosts and found them clean.",
        "As a sanity check the administrator invoked `{b}` in front of us.",
        "Registry analysis of the second laptop led nowhere.",
        "Somebody had browsed to {d} from the reception desk.",
    ),
    filler=(
        "Memory had not been captured, so a part of the story will remain untold.",
        "The affiliate preferred to work late in the evening and took breaks on weekends.",
        "Our client had invested in backups, and that decision paid for itself.",
        "Interviews with the staff helped us to separate the normal from the odd.",
        "The ransom note was the same as in earlier engagements with {N}.",
        "Every image was hashed, and the chain of custody was documented.",
        "We have learned to distrust time stamps on such systems.",
    ),
    closings=("The full timeline was handed to counsel.", "And that is how the week ended."),
)

HELD_OUT = (_THREAD, _RESPONDER)
