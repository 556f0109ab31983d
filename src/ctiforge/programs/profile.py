"""The profiles of applications: what one says, whose request something is, and one made from a team's own prompts."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ctiforge.pod.entry import exit_on_error

if TYPE_CHECKING:
    from ctiforge.records.profile import AgentProfile, Profile

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

_FIRST_WORDS = 80


@app.callback()
def main() -> None:
    """Check how an application asks and what it expects, or import it from its database."""


@app.command()
def check(
    profile: Annotated[str, typer.Argument(metavar="FILE", help="A profile: a TOML file, or huntable.")],
    request: Annotated[
        str | None,
        typer.Option(help="A stored request, as JSON: print which agent it is, and the article's first words."),
    ] = None,
) -> None:
    """Print what each agent is recognized by and what is answered; exit code 2 with the place of what is wrong.

    With --request exit code 3 where it is no request of the profile's, or one without an article.
    """
    from ctiforge.serving.profiles import load_profile

    loaded = load_profile(profile)
    if request is not None:
        print_request(loaded, request)
        return
    print(f"profile {loaded.name}: {len(loaded.agent)} agent{'s' if len(loaded.agent) > 1 else ''}")
    for name, agent in loaded.agent.items():
        print_agent(loaded, name, agent)


@app.command("import")
def import_(
    from_database: Annotated[
        bool, typer.Option("--from-database", help="Read the prompts of the configuration in use (DATABASE_URL).")
    ] = False,
    base: Annotated[str, typer.Option(help="The profile whose agents these are: a name or a TOML file.")] = "huntable",
    output: Annotated[str | None, typer.Option(help="The TOML file to write; default: print it.")] = None,
) -> None:
    """Write a profile whose agents are recognized by the words of the application's own prompts."""
    from ctiforge.data.database import database_url, open_database
    from ctiforge.errors import DataError, UsageError
    from ctiforge.progress import warn
    from ctiforge.serving.importing import import_profile, to_toml
    from ctiforge.serving.profiles import load_profile, parse_profile

    if not from_database:
        raise UsageError("say where the prompts are: --from-database reads them with DATABASE_URL")
    start = load_profile(base)
    with open_database(database_url()) as database:
        prompts = database.agent_prompts()
    if prompts is None:
        raise DataError(
            "the database has no configuration in use (agentic_workflow_config): start the application once"
        )
    found = import_profile(start, "imported", prompts)
    text = to_toml(found.profile)
    parse_profile(text, "the imported profile")
    for name in start.agent:
        if name not in found.imported:
            warn(f"{name} has no prompt there with a role, task or example to read: it is as in {start.name}")
    if output is None:
        print(text, end="")
        return
    Path(output).write_text(text, encoding="utf-8")
    print(f"{len(found.imported)} agents -> {output}; look at it with `ctiforge profile check {output}`")


def print_agent(profile: "Profile", name: str, agent: "AgentProfile") -> None:
    """One agent: what it asks for, what tells it, where its article stands, and what it is answered."""
    recognize, marks = agent.recognize, profile.marks_of(name)
    key = f"the key {quoted(recognize.example_key)}" if recognize.example_key else ""
    words = f"the words {', '.join(map(quoted, recognize.system))}" if recognize.system else ""
    ends = f", until {', '.join(map(quoted, marks.before))}" if marks.before else ", to the end"
    print(f"{name}")
    print(f"  asks for    {', '.join(agent.types)}")
    print(f"  known by    {', else by '.join(filter(None, (key, words)))}")
    print(f"  article     after {quoted(marks.after)}{ends}")
    if marks.skip_from:
        print(f"  without     {' or '.join(map(quoted, marks.skip_from))} until {quoted(marks.skip_until)}")
    print(f"  answers     {', '.join(map(quoted, (agent.answer.key, *agent.answer.count)))}")
    width = max(map(len, agent.fields))
    for number, (field, source) in enumerate(agent.fields.items()):
        print(f"  {'' if number else 'fields':<12}{field:<{width}}  {source}")


def print_request(profile: "Profile", file: str) -> None:
    """Say whose request a file is; raise DataError where it is none of the profile's."""
    from ctiforge.errors import DataError
    from ctiforge.serving.recognizing import recognize
    from ctiforge.visible import visible

    asked = recognize(profile, read_messages(file))
    if asked is None:
        raise DataError(f"{file} is no request of an agent of profile {profile.name}: it goes to the upstream")
    words = " ".join(asked.text[: 4 * _FIRST_WORDS].split())[:_FIRST_WORDS]
    print(f"{asked.agent}: an article of {len(asked.text)} characters")
    for label, text in (("title", asked.title), ("url", asked.url), ("begins", words)):
        print(visible(f"  {label:<8}{text or 'not named'}"))


def read_messages(file: str) -> list[dict[str, Any]]:
    """Read the messages of a stored request: its whole body, or only their list."""
    from ctiforge.errors import DataError, UsageError

    try:
        body = json.loads(Path(file).read_bytes())
    except OSError as error:
        raise UsageError(f"--request {file}: {error.strerror}; give the JSON file of a request") from None
    except (ValueError, RecursionError):
        raise DataError(f"{file} is no JSON: give the body of a request to /v1/chat/completions") from None
    messages = body.get("messages") if isinstance(body, dict) else body
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise DataError(f"{file} holds no messages: give the body of a request to /v1/chat/completions")
    return messages


def quoted(text: str | None) -> str:
    """Write a mark in one line, its line breaks to be seen."""
    return json.dumps(text, ensure_ascii=False)


if __name__ == "__main__":
    exit_on_error(app)
