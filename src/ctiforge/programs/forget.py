"""Removes an article from the store: its text, what was extracted from it and what quotes it."""

from typing import Annotated

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import StoreFlag


def main(
    article: Annotated[str, typer.Option(help="The article's id, as records and the database have it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what holds it.")] = False,
    store: StoreFlag = None,
) -> None:
    """Remove an article from everything in the store but weights.

    Artifacts that hold its text go whole, and are made again without it when a run needs them; test sets lose it;
    labels of people, evaluations kept beside models, what was read of its executions and what labelers quoted from it
    go. The same text or page under another id goes too. What lies outside the store, and the database, is named and
    left alone.
    """
    from ctiforge.data.forgetting import find_article, forget
    from ctiforge.errors import UsageError
    from ctiforge.progress import warn
    from ctiforge.settings import load_settings
    from ctiforge.store.bucket import bucket_notes
    from ctiforge.store.objects import find_store
    from ctiforge.store.runs import read_runs

    uri = load_settings({"store": store}).settings.store
    opened = find_store(uri)
    if opened is None:
        raise UsageError(f"the store {uri} is not there; name it with --store or CTIFORGE_STORE")
    running = sorted(run.id for run in read_runs(opened)[0] if run.state == "running")
    if running and not dry_run:
        raise UsageError(f"run {running[0]} is under way and may write it again: wait for its end, or cancel it")
    found = find_article(opened, article)
    held = len(found.things) + len(found.objects) + len(found.test_sets)
    if dry_run:
        for name in (*(each.reference for each in found.test_sets), *(t.folder for t in found.things), *found.objects):
            print(name)
    else:
        forget(opened, found, print)
    if found.texts > 1:
        warn(f"{found.texts} different texts have the id {article}: a page that changed, or two sources with one id")
    for training in found.trained:
        warn(f"not removed: weights of {training}, which learnt from it: train again without it, then retire them")
    if not held:
        print(f"{opened.uri}: article {article} stands nowhere in it")
    elif dry_run:
        print(f"{held} places; nothing is removed yet: the same command without --dry-run does it")
    else:
        print(f"article {article} is removed from {held} places of {opened.uri}")
        print("left alone: the database (delete it there, or --exclude-urls its page) and files outside the store")
    for note in bucket_notes(opened) if held else ():
        # a version that is kept can still be read
        warn(note)


if __name__ == "__main__":
    run_program(main)
