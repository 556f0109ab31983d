"""Cuts harvested articles into training examples for one model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import BaseModelFlag, ExpectFlag, PlanFlag, RevisionFlag, StoreFlag, TestSetsFlag
from ctiforge.training.options import AGENT


def main(
    source: Annotated[str, typer.Option("--input", help="Records of harvest_extract: a file, folder or artifact.")],
    output: Annotated[
        str | None, typer.Option(help="A folder, or X.json for one X_<format>.json per format beside it.")
    ] = None,
    text_format: Annotated[str, typer.Option("--format", help="messages, alpaca, chatml, simple or all.")] = "messages",
    model: BaseModelFlag = "demo",
    revision: RevisionFlag = None,
    max_length: Annotated[int, typer.Option(help="Tokens of prompt, window and answer together.")] = AGENT.max_length,
    prompt: Annotated[
        str, typer.Option(help="A prompt of this package, or a TOML with the team's own: system, user, [types].")
    ] = "full-v1",
    template: Annotated[str | None, typer.Option(help="A chat template of the team's own, in Jinja.")] = None,
    template_args: Annotated[
        str | None, typer.Option(help='Variables of the chat template to fix, as JSON: {"enable_thinking": false}.')
    ] = None,
    end_token: Annotated[
        list[str] | None, typer.Option(help="A token that ends answers, where the template ends with another one.")
    ] = None,
    close_thought: Annotated[
        bool, typer.Option(help="Close a thought that the template opens, empty, before the answer.")
    ] = False,
    window_tokens: Annotated[
        int | None, typer.Option(help="Article tokens of a window; default: six tenths of the room.")
    ] = None,
    empty_share: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of training windows without an item.")
    ] = 0.3,
    validation_share: Annotated[
        float, typer.Option(min=0.01, max=0.5, help="Share of articles kept for validation.")
    ] = 0.1,
    overlap_quantile: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the items that the windows' overlap is long enough for.")
    ] = 0.95,
    repeat_items: Annotated[int, typer.Option(min=1, help="Examples that teach one item of an article, at most.")] = 2,
    test_set: TestSetsFlag = None,
    seed: int = 0,
    store: StoreFlag = None,
    expect: ExpectFlag = None,
    plan: PlanFlag = False,
) -> None:
    """Cut harvested articles into training examples that fit the model, with nothing cut off."""
    from ctiforge.data.testsets import test_set_inputs
    from ctiforge.errors import UsageError
    from ctiforge.extract.dataset.format import FormatOptions, format_records, formats_of, write_guide_files
    from ctiforge.store.hub import pin
    from ctiforge.store.named_models import find_model_uri
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage
    from ctiforge.training.encoding import TOKENIZER_FILES, model_input
    from ctiforge.training.templates import read_arguments

    formats = formats_of(text_format)
    options = FormatOptions(
        formats[0],
        prompt,
        max_length,
        window_tokens,
        empty_share,
        validation_share,
        seed,
        overlap_quantile,
        repeat_items,
        read_arguments(template_args),
        tuple(end_token or ()),
        close_thought,
    )
    if formats[0] != "messages" and (template or template_args or end_token or close_thought):
        raise UsageError(f"--format {formats[0]} renders without a chat template: leave its flags, or use messages")
    own = {"template": template, "prompt": prompt if is_file(prompt) else None}
    model = pin(find_model_uri(model, store), revision)
    model_inputs, model_params = model_input(model)

    def work(dirs: StageDirs) -> dict[str, Any]:
        return format_records(dirs.inputs, dirs.out, model, options, formats)

    result = run_stage(
        Stage("format_extract", 4, packages=("transformers", "tokenizers", "rensa")),
        params=options.params() | {"formats": formats} | model_params,
        inputs={
            "records": source,
            **model_inputs,
            **test_set_inputs(store, test_set),
            **{name: uri for name, uri in own.items() if uri},
        },
        output=output.removesuffix(".json") if output else None,
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
        files={"model": TOKENIZER_FILES},
    )
    if output and output.endswith(".json") and not plan:
        write_guide_files(Path(output), formats)
    if result.summary:
        print_report(result.summary)


def is_file(prompt: str) -> bool:
    """Tell a file from the name of a prompt of this package."""
    return prompt.endswith(".toml") or "/" in prompt


def print_report(summary: dict[str, Any]) -> None:
    """Print the token report, beside what right-truncation would have done, and the articles removed as leaks."""
    from ctiforge.extract.dataset.token_report import report_rows
    from ctiforge.tables import print_table
    from ctiforge.visible import visible

    title = f"prepared for {summary['model']}, --max-length {summary['sizes']['max_length']}"
    print_table(title, ("", "ours", "right-truncated"), report_rows(summary["report"]))
    for leak in summary["leaked"][:20]:
        print(visible(f"removed from training: article {leak['id']}, {leak['reason']} as {leak['as']}"))
    if len(summary["leaked"]) > 20:
        print(f"… and {len(summary['leaked']) - 20} more, all listed in format.json")


if __name__ == "__main__":
    run_program(main)
