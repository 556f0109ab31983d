"""Threat-report prose that shows no operating system, and sentences that only seem to show one.

`{N}` is a made-up name, `{k}` a number; the other slots are filled from `SLOTS`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prose:
    """The neutral sentences of a part of the corpus; the unseen part's stand in no training article."""

    titles: tuple[str, ...]
    openings: tuple[str, ...]
    headings: tuple[str, ...]
    filler: tuple[str, ...]
    distractors: tuple[str, ...]
    past: tuple[str, ...]
    """What the group once did on `{other}` systems, said to play no part here."""
    together: tuple[str, ...]
    """One sentence that names the `{systems}` of an article about several."""
    closings: tuple[str, ...]


SLOTS = {
    "sector": (
        "banks",
        "hospitals",
        "shipping companies",
        "universities",
        "law firms",
        "energy suppliers",
        "public authorities",
        "insurers",
        "game studios",
        "crypto exchanges",
    ),
    "region": (
        "northern Europe",
        "South America",
        "the Gulf states",
        "Central Asia",
        "the Baltic countries",
        "East Africa",
        "North America",
        "Southeast Asia",
    ),
    "lure": (
        "an invoice",
        "a job offer",
        "a conference invitation",
        "a tax notice",
        "a delivery note",
        "a contract draft",
        "an interview request",
    ),
    "when": (
        "in early spring",
        "over the summer",
        "during the holidays",
        "in the last quarter",
        "at the end of May",
        "in October",
        "within one week",
    ),
    "confidence": ("low", "moderate", "medium", "high"),
    "goal": (
        "espionage",
        "extortion",
        "theft of credentials",
        "fraud",
        "resale of access",
        "sabotage",
        "theft of source code",
    ),
    "team": (
        "a research lab",
        "an independent analyst",
        "the national CERT",
        "a partner in the industry",
        "the incident team",
        "a university group",
    ),
    "channel": (
        "a messaging service",
        "an encrypted web channel",
        "a hijacked news site",
        "a content network",
        "a paste site",
        "DNS lookups",
    ),
    "person": (
        "an accountant",
        "a contractor",
        "the help desk",
        "a trainee",
        "a project manager",
        "an engineer",
        "a board member",
    ),
}

COMPOSED = (
    (
        "The intruders",
        "A second crew",
        "The authors of {N}",
        "An affiliate",
        "The broker who sold the access",
        "A member of the group",
        "Somebody with the same keys",
        "The people behind {N}",
    ),
    (
        "read the minutes of {k} meetings",
        "wrote to {person} in a friendly tone",
        "moved the stolen data to a server in {region}",
        "asked {channel} for further orders",
        "tried {k} passwords against the portal",
        "rented {k} new domains",
        "threatened to call the customers of the {sector}",
        "copied a share with {k} thousand documents",
        "left a note with a deadline of {k} days",
        "changed the rules of {k} mailboxes",
        "looked for contracts with {sector}",
        "answered a journalist who had asked about {N}",
    ),
    (
        "{when}",
        "before anyone at the victim took notice",
        "for the sake of {goal}, as it seems",
        "while {person} was on leave",
        "on {k} days in a row",
        "as {team} could show from the logs",
        "shortly after {lure} had been opened",
        "although nothing of value was to be had",
        "as in the case of {N}",
        "from an address in {region}",
    ),
)
"""Who, did what, in which circumstances: any of each makes a neutral sentence."""


SEEN_PROSE = Prose(
    titles=(
        "{N}: anatomy of an intrusion",
        "Tracking {N}",
        "Inside the {N} operation",
        "What we know about {N}",
        "Weekly threat notes: {N}",
        "Advisory: activity of the {N} cluster",
    ),
    openings=(
        "A group that we call {N} attacked {sector} in {region} {when}.",
        "This report describes an intrusion at one of several {sector} that were hit by {N} {when}.",
        "{N} came to our attention {when}, when {team} asked for help.",
        "We were called in after {person} reported {lure} that did not look right.",
        "This advisory sums up what is known about {N}, whose aim is {goal}.",
        "Among the notes of this week: {N} is back, and {sector} in {region} are on its list.",
    ),
    headings=("Summary", "Background", "Initial access", "What we saw", "Impact", "Attribution", "Recommendations"),
    filler=(
        "The campaign is aimed at {sector} in {region} and has been active for {k} months.",
        "The first contact was {lure} sent to {person}.",
        "We assess with {confidence} confidence that the purpose is {goal}.",
        "Victims are chosen with care: {k} of them belong to one supply chain.",
        "The control server answered through {channel} and changed its address every {k} days.",
        "According to {team}, the same wallet was used by {N} in an earlier case.",
        "The family known as {N} has been for sale on forums for about {k} years.",
        "Traffic goes out over {channel} and looks like ordinary browsing.",
        "The payload is packed, and its strings are decrypted only when they are needed.",
        "A mistake in the actor's own code gave {team} the key to the configuration.",
        "Nothing was sold or leaked until {k} weeks after the first contact.",
        "The certificate of the site was issued {when} and named a firm called {N}.",
        "A ransom of {k} bitcoin was asked and not paid.",
        "The actor read the mail of {person} for {k} weeks before acting.",
        "Stolen documents were sorted by topic, which points to {goal}.",
        "Public reports by {team} use the name {N} for an overlapping set of activity.",
        "The implant sleeps for {k} minutes between two check-ins, with some jitter.",
        "It compares the language of the victim with a list and leaves some countries alone.",
        "We shared {k} indicators with the sector's exchange before this report went out.",
        "Two of the {k} domains imitate suppliers of {sector}.",
        "The data were compressed, split in parts of {k} megabytes and carried out over {channel}.",
        "The code shares an encryption routine with {N}, down to a misspelled constant.",
        "Working hours of the operators fit a time zone used in {region}.",
        "An affiliate of {N} later boasted of the attack on a leak site.",
        "The insurer's report puts the damage at {k} million.",
        "In {k} cases the intruders came back after a first clean-up.",
        "The password of {person} had been part of an older leak.",
        "Multi-factor prompts were sent again and again {when} until one was accepted.",
        "The second stage is fetched only for visitors who come from {region}.",
        "Each victim gets a build of its own, with an identifier of {k} characters.",
        "The tool reports its version as {k}.{k}, which {team} had not seen before.",
        "There is no sign that customers of the {sector} were attacked directly.",
        "The group's infrastructure was rented with stolen cards {when}.",
        "A list of {k} further targets lay open on one of the servers.",
        "The negotiators of {N} were polite and patient, as is usual for this crew.",
        "From the first click to the theft no more than {k} hours went by.",
        "The proxy layer consists of {k} rented servers in {region}.",
        "The messages were written without mistakes and named {person} by the right title.",
        "Law enforcement in {region} seized part of the servers {when}.",
        "It is not clear whether {N} sold the access or used it for {goal}.",
        "The malware asks {channel} for new tasks and deletes those that are done.",
        "The configuration holds {k} addresses, of which only two ever answered.",
        "The sample was first uploaded to a public scanner {when}, from {region}.",
        "Segmentation kept the intruders away from the plants of the {sector}.",
        "Backups that were kept offline let the victim recover in {k} days.",
        "We advise {sector} to review accounts of contractors and to log what they do.",
        "A phone call to {person} went before the message, which made it credible.",
        "The operators tested {k} stolen accounts and found one that worked.",
        "Files with words such as budget, merger and salary were taken first.",
        "The encryption is sound, and {team} found no way to undo it.",
        "The name {N} comes from a text in the first sample.",
        "Similar lures, among them {lure}, were seen in {region} {when}.",
        "The loader checks that it is not watched, and ends itself if it is.",
        "The crew pays {k} percent of every ransom to the developers of {N}.",
    ),
    distractors=(
        "The flaw gave the intruders a narrow window of opportunity before the patch.",
        "The MAC address of the rogue device was of no known maker.",
        "A photo from the vendor's summer bash served as decoy.",
        "The crew advertises {N} as a cross-platform toolkit without saying what it runs on.",
        "All of it took place in the tenant of a cloud mail provider, with tokens of an OAuth application.",
        "The edge router was reached through its web administration page and its DNS settings were changed.",
        "The finder of the flaw was paid for the report.",
        "Maintenance windows of the provider had been published on its status page.",
        "A shell company in {region} paid for the domain, as the registry of the top-level domain confirms.",
        "There is a kernel of truth in the claims of {N}.",
        "The root cause was an account that nobody had closed.",
        "The SaaS audit log shows {k} downloads by an application with broad consent.",
        "The decoy is a brochure for a safari in {region}.",
        "The intruders moved through the ticket system of the service desk.",
        "The switch in the cellar was an old model without support by its maker.",
        "The apple of discord was a contract that {person} had leaked.",
        "A firewall appliance at the edge had not been patched for {k} months.",
        "The avatar of the seller shows a man with a fedora and a penguin.",
        "Storage buckets of the cloud account were listed from an address in {region}.",
        "The port's container terminal was closed for {k} days.",
    ),
    past=(
        "Two years ago {N} was known for a {other} implant, which plays no part in this intrusion.",
        "Older reports tie the crew to attacks on {other} machines; there were none in this case.",
    ),
    together=(
        "The {N} code is compiled for {systems} alike.",
        "Builds for {systems} were found side by side on the server.",
        "The same campaign hit {systems} machines, each with a sample of its own.",
    ),
    closings=(
        "We will keep watching this activity.",
        "A list of indicators can be had from {team}.",
        "We thank {team} for sharing what they had seen of {N}.",
        "{N} will be back, and {sector} should expect it.",
    ),
)

UNSEEN_PROSE = Prose(
    titles=("Case file {N}", "{N} revisited: lessons from {k} cases", "Field report: the {N} affair"),
    openings=(
        "Nobody at the {sector} concerned had heard of {N} before {person} opened {lure}.",
        "What began {when} as a dull alert ended as the {N} affair.",
        "{team}, which has followed {N} for {k} years, let us look at its notes.",
    ),
    headings=("In short", "How it started", "The course of events", "Loose ends", "Advice"),
    filler=(
        "Money is the motive here, although {goal} was suspected at first.",
        "An answer from {channel} came back after {k} minutes at the earliest.",
        "Whoever wrote {N} knows the trade of {sector} well.",
        "Of {k} people who received {lure}, one replied.",
        "The ledger of the crew, found {when}, lists {k} paying customers.",
        "In the words of {team}, this was patience rather than skill.",
        "A rival of {N} published the chat logs of its leaders.",
        "The trail ends at a hosting firm in {region}.",
        "Neither {person} nor the night shift noticed anything for {k} days.",
        "The price of access to {sector} of this size is about {k} thousand.",
        "The stolen archive was offered twice, first in {region} and then in public.",
        "Only {k} of the indicators in older reports were still of use.",
    ),
    distractors=(
        "The thieves looked in through the windows of the data centre, but took nothing there.",
        "Its authors promise that {N} runs anywhere, a claim that nobody has tested.",
        "The wireless access points were replaced, since their MAC addresses had been cloned.",
        "A sharing link of the collaboration suite in the cloud had no expiry date.",
        "The talk at the Monterey conference was held by {person} from {region}.",
        "A registrar's registry lock would have kept the domain safe.",
        "The load balancer kept its sessions for {k} hours, which was enough for the intruders.",
        "The terminal at the airport showed the message to {k} travellers.",
    ),
    past=("In earlier years the name {N} stood for {other} malware, but no such sample turned up here.",),
    together=(
        "Whether a victim works on {systems} makes no difference to {N}, which ships a sample for each.",
        "Samples for {systems} share one protocol.",
    ),
    closings=(
        "The case is closed for the victim, not for {team}.",
        "More will follow when {team} has read the rest of the logs.",
    ),
)
