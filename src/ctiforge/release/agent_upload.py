"""What is published of an Extract Agent: its files that are safe to load, its evaluation and its card."""

from dataclasses import dataclass
from pathlib import Path

from ctiforge.records.evaluation import Evaluation
from ctiforge.release.agent_card import AgentCard
from ctiforge.release.bundle import check_agent, copy_model, is_adapter
from ctiforge.release.publish import (
    HubTarget,
    TermsOf,
    check_evaluated,
    settle,
    unknown_terms,
    write_card,
)


@dataclass(frozen=True)
class AskedWith:
    """The turns that the agent is asked with."""

    system: str
    """The system's turn; empty: there is none."""
    user: str
    """The user's turn with `TEXT` in the place of a passage."""


def lay_out_agent(
    target: HubTarget,
    model: Path,
    content: str,
    evaluated: Evaluation,
    asked: AskedWith,
    into: Path,
    terms: TermsOf = unknown_terms,
) -> tuple[AgentCard, list[str]]:
    """Write every file that is published into a folder, with the card of a first version.

    Args:
        target: Where to publish, for the card.
        model: The folder of the trained model.
        content: The content hash of what was evaluated.
        evaluated: The model's evaluation; of it the articles stay here.
        asked: How it is asked.
        into: An empty folder.
        terms: Says on what terms the base of a training stands.

    Returns:
        The card, and the names of the model's files that are left out.

    Raises:
        UsageError: The evaluation is of other weights, the model is the demo's, nobody names its license, or the
            repository's name is not what the license wants.
        DataError: The model cannot be published: it lacks a file, or one is damaged.
    """
    check_evaluated(evaluated.model.version, content, "eval_extract")
    left_out = copy_model(model, into)
    note = check_agent(into)
    training, license_name = settle(target, model, evaluated.test_set.name, terms, into)
    evaluated.model_copy(update={"articles": ()}).write(into)
    card = AgentCard(
        repo=target.repo,
        version=target.version,
        license=license_name,
        note=note,
        training=training,
        evaluated=evaluated,
        system=asked.system,
        user=asked.user,
        adapter=is_adapter(into),
        author=target.author,
        test_set_repo=target.test_set_repo,
    )
    write_card(card, into)
    return card, left_out
