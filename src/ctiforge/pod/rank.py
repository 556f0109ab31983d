"""One of the processes that `run_ranks` starts: calls what it is handed, and leaves the result or what went wrong."""

import json
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

from ctiforge.errors import CtiforgeError, ExitCode
from ctiforge.pod.entry import exit_on_error
from ctiforge.pod.ranks import RESULT, error_file

_LOOK_S = 1.0


def main() -> None:
    """Call, and exit by the contract."""
    threading.Thread(target=_end_without, args=(int(sys.argv[2]),), daemon=True).start()
    try:
        exit_on_error(lambda: _call(Path(sys.argv[1]), int(os.environ["RANK"])))
    # inside the handlers: what an error's frames hold is taken down when a handler ends
    except SystemExit as ended:
        _end(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
    except BaseException:
        traceback.print_exc()
        _end(1)
    _end(0)


def _end(code: int) -> NoReturn:
    """End with everything written: taking torch's objects down may wait for ever for a rank that is gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _call(file: Path, rank: int) -> None:
    # whoever started this process says what a signal means, once for all
    signal.signal(signal.SIGTERM, _end_interrupted)
    signal.signal(signal.SIGINT, _end_interrupted)
    try:
        # written by the program that started this one
        result = pickle.loads(file.read_bytes())()
    except CtiforgeError as error:
        error_file(file.parent, rank).write_text(str(error), encoding="utf-8")
        raise SystemExit(error.exit_code) from None
    if rank == 0:
        part = file.with_name(f"{RESULT}.part")
        part.write_text(json.dumps(result), encoding="utf-8")
        part.replace(file.with_name(RESULT))


def _end_interrupted(_number: int, _frame: Any) -> None:
    raise SystemExit(int(ExitCode.INTERRUPTED))


def _end_without(parent: int) -> None:
    """End once whoever started this process is gone: the next one to come would work in the same folders."""
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
