"""The named rules that fill the fields of an item from the item itself and the paragraph that holds it.

A rule gives nothing where the paragraph does not say it plainly. A field that our own reader would take for the item's
value is only ever the item, or a part that the reader joins to it again: see `ctiforge.data.item_values`.
"""

from collections.abc import Callable

from ctiforge.serving.fields import commands, general, lineages, registry, services, tasks
from ctiforge.serving.placing import PlacedItem

FieldValue = str | bool | None
FieldRule = Callable[[PlacedItem], FieldValue]

RULE = "rule:"
"""What the source of a field begins with that a rule fills."""
RULES: dict[str, FieldRule] = {
    "sentence": general.sentence,
    "line_before": general.line_before,
    "first_token": commands.first_token,
    "wrapper_stripped": commands.wrapper_stripped,
    "parent": lineages.parent,
    "child": lineages.child,
    "creation_verb": lineages.creation_verb,
    "registry_key": registry.registry_key,
    "registry_value_name": registry.registry_value_name,
    "registry_value_data": registry.registry_value_data,
    "registry_value_type": registry.registry_value_type,
    "registry_operation": registry.registry_operation,
    "service_name": services.service_name,
    "service_display_name": services.service_display_name,
    "service_binary_path": services.service_binary_path,
    "service_start_type": services.service_start_type,
    "service_creation_command": services.service_creation_command,
    "service_operation": services.service_operation,
    "service_source_type": services.service_source_type,
    "task_name": tasks.task_name,
    "task_path": tasks.task_path,
    "task_trigger": tasks.task_trigger,
    "task_principal": tasks.task_principal,
    "task_store_path": tasks.task_store_path,
    "task_operation": tasks.task_operation,
    "query_type": general.query_type,
    "indicator_type": general.indicator_type,
}
"""Name → the rule: each says in its first line what it gives."""
_TYPES = {
    commands: "cmdline",
    lineages: "process_lineage",
    registry: "registry",
    services: "services",
    tasks: "scheduled_tasks",
}
RULE_TYPES = {
    **{
        name: type_
        for module, type_ in _TYPES.items()
        for name, rule in RULES.items()
        if rule.__module__ == module.__name__
    },
    "query_type": "hunt_queries",
    "indicator_type": "network_indicators",
}
"""Name of a rule → the type of the items that it reads; rules of all types are left out."""
SOURCES = {
    "item": "the item, as the article writes it",
    "type": "its type: `cmdline`, `registry` …",
    "platform": "its platform as the model named it: `Windows`, `Linux` or `MacOS`",
    "paragraph": "the paragraph of the article that holds it, verbatim",
    "justification": "in words: the model, the stretch of the article that it read, what the confidence is worth",
    "confidence": "the probability of the item's tokens, 0 to 1; calibrated where the model has a calibration",
    "model": "the model's served id: `ctiforge/NAME@VERSION`",
}
"""Where else the value of a field comes from."""


def field_table() -> list[tuple[str, str]]:
    """List what a field of a profile may be filled from, with what it then holds.

    Returns:
        Source and meaning: the plain sources first, then the rules.
    """
    said = {name: (rule.__doc__ or "").partition("\n")[0] for name, rule in RULES.items()}
    # without their first word, which is Give or Tell
    return [*SOURCES.items(), *((f"{RULE}{name}", text.partition(" ")[2].rstrip(".")) for name, text in said.items())]
