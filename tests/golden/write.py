"""Write what stages make now as their golden outputs: `python -m tests.golden.write STAGE…`."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from ctiforge.errors import CtiforgeError
from tests.golden import held, stages


def main(names: list[str]) -> int:
    """Write each named stage's golden file; 2, with one line why, where nothing is written."""
    declared = stages.declared()
    unknown = [name for name in names if name not in stages.STAGES]
    if unknown or not names:
        print(f"name stages (ARGS=…), of these: {', '.join(stages.STAGES)}", file=sys.stderr)
        return 2
    try:
        for name in names:
            held.check_free(name, declared[name])
            with TemporaryDirectory() as folder:
                picture = stages.run(name, Path(folder))
            moved = held.write(picture)
            print(f"-> {held.file_of(name, picture['version'])}")
            print("".join(f"  {line}\n" for line in moved), end="")
    except CtiforgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
