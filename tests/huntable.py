"""Requests as the application writes them, and rows as it stores what it was answered."""

import json
from collections.abc import Mapping
from typing import Any

KEYS = {
    "CmdlineExtract": "cmdline_items",
    "ProcTreeExtract": "process_lineage",
    "RegistryExtract": "registry_artifacts",
    "ServicesExtract": "windows_services",
    "ScheduledTasksExtract": "scheduled_tasks",
    "HuntQueriesExtract": "queries",
    "NetworkIndicatorExtract": "network_indicators",
}
"""Agent → the key of its list."""
ROLES = {
    "CmdlineExtract": "You find every command-line of Windows.",
    "ProcTreeExtract": "You find each pair of a parent and a child process.",
    "RegistryExtract": "You find artifacts of the Windows registry.",
    "ServicesExtract": "You find every Windows service.",
    "ScheduledTasksExtract": "You find the identity of each scheduled-task.",
    "HuntQueriesExtract": "You find finished detection logic: queries and rules.",
    "NetworkIndicatorExtract": "You find network indicators.",
}
"""Agent → what its system message says."""
SUB_RESULTS = {
    "CmdlineExtract": "cmdline",
    "ProcTreeExtract": "process_lineage",
    "RegistryExtract": "registry_artifacts",
    "ServicesExtract": "windows_services",
    "ScheduledTasksExtract": "scheduled_tasks",
    "HuntQueriesExtract": "hunt_queries",
    "NetworkIndicatorExtract": "network_indicators",
}
"""Agent → the key under which the application keeps what it found."""
SNIPPETS = "=== HIGH-LIKELIHOOD COMMAND SNIPPETS ===\nwhoami /all\n\n=== FULL ARTICLE (REFERENCE ONLY) ===\n"


def user_message(agent: str, article: str, *, prefix: str = "", snippets: bool = False, example: bool = True) -> str:
    """The user's message of an agent."""
    shown = json.dumps({KEYS[agent]: [{"value": "x"}], "count": 1}, indent=2)
    structure = f"\n\nREQUIRED JSON STRUCTURE (example):\n{shown}\n\nYou MUST output JSON." if example else ""
    return (
        f"{prefix}Title: A title\nURL: https://example.org/a\n\nContent:\n{SNIPPETS if snippets else ''}{article}"
        f"\n\nTask: Find what you are for.\n\nOutput Format Specification:\n{{}}{structure}"
        "\n\nCRITICAL INSTRUCTIONS: Others find each Windows service, queries and network indicators.\n\nTask: begin."
        "\n\nIMPORTANT: Your response must end with a valid JSON object.\n"
    )


def request(agent: str, article: str, **told: Any) -> list[dict[str, Any]]:
    """The messages of an agent's request."""
    return [
        {"role": "system", "content": ROLES[agent]},
        {"role": "user", "content": user_message(agent, article, **told)},
    ]


def stored_row(answers: Mapping[str, str]) -> dict[str, Any]:
    """What the application stores of its agents' answers (agent → content of the assistant's turn)."""
    sub_results, observables = {}, []
    for agent, content in answers.items():
        found = json.loads(content[content.index("{") : content.rindex("}") + 1])
        items = [item if "value" in item else {**item, "value": str(item)} for item in found[KEYS[agent]]]
        name = SUB_RESULTS[agent]
        sub_results[name] = {"items": items, "count": found["count"], "raw": found}
        observables += [
            {"type": name, "value": item["value"], "original_data": item, "source": "supervisor_aggregation"}
            for item in items
        ]
    return {"observables": observables, "subresults": sub_results, "discrete_huntables_count": len(observables)}
