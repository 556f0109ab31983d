import pytest

from ctiforge.errors import UsageError
from ctiforge.training.models import pick_device


@pytest.mark.parametrize("name", ["gpu", "", "cuda:7"])
def test_an_unknown_device_is_told_with_those_there_are(name: str) -> None:
    with pytest.raises(UsageError, match=f"--device {name}: give one of auto, cpu, cuda"):
        pick_device(name)
