"""Commands that only look make nothing: a store that was named and is not there is told, a default one is empty."""

import pytest

LOOKS = [
    (("runs",), "no runs yet"),
    (("status",), "no runs yet"),
    (("logs",), "no runs yet"),
    (("collect",), "no runs yet"),
    (("report",), "no runs yet"),
    (("models", "list"), "nothing was promoted yet"),
    (("gc",), "there is nothing to remove"),
]


@pytest.mark.parametrize(("verb", "empty"), LOOKS, ids=[verb[0] for verb, _ in LOOKS])
def test_a_store_that_is_not_there_is_not_made(world, verb: tuple[str, ...], empty: str) -> None:
    mistyped = world.ctiforge(*verb, "--store", "stoer")
    assert mistyped.returncode == 2
    assert mistyped.stderr == (
        f"error: {world.folder / 'stoer'}: there is no such folder, so no store; "
        "name the one that is meant with --store\n"
    )
    fresh = world.ctiforge(*verb)
    assert empty in fresh.stdout + fresh.stderr
    assert [each.name for each in world.folder.iterdir()] == ["control.json"]


@pytest.mark.parametrize("verb", ["run", "sweep"])
def test_a_dry_run_plans_for_a_store_that_is_yet_to_be_made(world, verb: str) -> None:
    flags = ("--param=epochs=1,2",) if verb == "sweep" else ()
    planned = world.ctiforge(verb, "extract", "--dry-run", *flags)
    assert planned.returncode == 0, planned.stderr
    assert f"store {world.folder / '.ctiforge/store'}" in planned.stdout
    assert "harvest_extract" in planned.stdout
    assert not (world.folder / ".ctiforge/store").exists()
