"""`python -m tests.integration.training.of_machine FOLDER ADDRESS STORE [fsdp]`: the second of two machines.

It is done when there is a file `published` in the store.
"""

import sys
from pathlib import Path

from ctiforge.pod.meeting import Machines
from tests.integration.training.of_ranks import Place

if __name__ == "__main__":
    folder, address, store, *rest = sys.argv[1:]
    Place(Path(folder), Path(store)).train(
        1,
        machines=Machines(2, 1, address),
        is_published=(Path(store) / "published").exists,
        fsdp=rest == ["fsdp"],
    )
