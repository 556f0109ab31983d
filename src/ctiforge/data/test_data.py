"""What --test-data names: a file, or a test set of the store."""

from ctiforge.data.testsets import test_set_inputs
from ctiforge.errors import UsageError


def find_test_data(test_data: str | None, store: str | None) -> tuple[str, str | None]:
    """The URI of the labelled articles, and name@version where they are a test set of the store."""
    if not test_data:
        raise UsageError("give --test-data FILE, or testset:NAME of the store (ctiforge testset list)")
    if not test_data.startswith("testset:"):
        return test_data, None
    found = test_set_inputs(store, [test_data.removeprefix("testset:")])
    name, uri = next(iter(found.items()))
    return uri, name.removeprefix("test_set:")
