"""Transfers of a large object: nothing like the whole of it is ever in memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ctiforge.store.objects import open_store

GIB = 1024**3
TRANSFER = """
import sys
from pathlib import Path
from ctiforge.store.objects import hash_file, open_store
store, source, back = open_store(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
entry = store.upload(source, "weights.bin")
store.download("weights.bin", back)
assert entry == hash_file(back), "another file came back"
# Not ru_maxrss: a child begins with the peak of the process that forked it.
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) * 1024, entry.size)
"""


@pytest.mark.slow
def test_one_gibibyte_up_and_down_in_200_megabytes(store_uri: str, tmp_path: Path) -> None:
    source, back = tmp_path / "source.bin", tmp_path / "back.bin"
    with source.open("wb") as file:
        file.truncate(GIB)
    command = [sys.executable, "-c", TRANSFER, store_uri, str(source), str(back)]
    answer = subprocess.run(command, env={**os.environ}, capture_output=True, text=True, check=False)
    back.unlink(missing_ok=True)
    open_store(store_uri).delete("weights.bin")
    assert answer.returncode == 0, answer.stderr
    peak, size = map(int, answer.stdout.split())
    assert size == GIB
    assert peak <= 200_000_000
    print(f"1 GiB up and down: peak memory {peak / 1e6:.0f} MB")
