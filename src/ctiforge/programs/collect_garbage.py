"""Removes from a store what no run and no registered model needs any more."""

from typing import Annotated

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import StoreFlag


def main(
    keep_runs: Annotated[int, typer.Option(min=0, help="Runs of each line that stay, the newest.")] = 20,
    delete: Annotated[bool, typer.Option("--delete", help="Remove it; without this flag it is only listed.")] = False,
    store: StoreFlag = None,
) -> None:
    """List, or with --delete remove, what only old runs named: artifacts, checkpoints, shared inputs, their records.

    What a kept run, a run under way or a registered model names stays, with all that went into it, and so does
    everything that was written or planned with in the last 7 days. Test sets, models, labels of people and labelers'
    answers stay. Uploads that never ended go after a day.
    """
    from ctiforge.errors import StoreError
    from ctiforge.progress import warn
    from ctiforge.settings import load_settings
    from ctiforge.store.bucket import bucket_notes
    from ctiforge.store.garbage import Thing, find_garbage, remove, total
    from ctiforge.store.leftovers import find_leftovers, remove_leftover
    from ctiforge.store.objects import open_to_look

    loaded = load_settings({"store": store})
    opened = open_to_look(loaded.settings.store, is_named=loaded.is_named("store"))
    things = find_garbage(opened, keep_runs)
    try:
        leftovers = find_leftovers(opened)
    except StoreError as error:
        leftovers = []
        warn(f"uploads that never ended are not looked for: {error}")

    def say(thing: Thing, is_gone: bool) -> None:
        print(f"removed {thing.folder}" if is_gone else f"stays   {thing.folder}: it has come into use", flush=True)

    if delete:
        remove(opened, things, say)
        for leftover in leftovers:
            remove_leftover(opened, leftover)
            print(f"removed {leftover.key}, an upload that never ended", flush=True)
    else:
        for thing in things:
            print(f"{thing.modified:%Y-%m-%d}  {thing.size:>14,}  {thing.folder}")
        for leftover in leftovers:
            print(f"{leftover.modified:%Y-%m-%d}  {leftover.size:>14,}  {leftover.key}, an upload that never ended")
    for kind, (count, size) in total(things).items():
        print(f"{kind}: {count}, {size / 1e6:,.1f} MB")
    if leftovers:
        print(f"uploads that never ended: {len(leftovers)}, {sum(each.size for each in leftovers) / 1e6:,.1f} MB")
    for note in bucket_notes(opened) if things or leftovers else ():
        print(f"note: {note}")
    if not things and not leftovers:
        print(f"{opened.uri}: there is nothing to remove")
    elif not delete:
        print("nothing is removed yet: the same command with --delete does it")


if __name__ == "__main__":
    run_program(main)
