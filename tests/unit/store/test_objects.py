import errno
from pathlib import Path

import pytest

from ctiforge.errors import ExitCode, StoreError, UsageError
from ctiforge.store.objects import open_store
from ctiforge.store.troubles import explain


class _Failing:
    """Stands in for a library call that fails."""

    def __init__(self, message: str) -> None:
        self.message = message

    def __call__(self, *_args: object, **_options: object) -> None:
        from obstore.exceptions import GenericError

        raise GenericError(self.message)


def test_a_full_disk_is_an_os_error_that_programs_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = "Generic LocalFileSystem error: Unable to copy data to file: No space left on device (os error 28)"
    monkeypatch.setattr("obstore.put", _Failing(message))
    with pytest.raises(OSError, match="No space left") as caught:
        open_store(str(tmp_path)).write("k", b"x")
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == f"{tmp_path}/k"


@pytest.mark.parametrize("said", ["Read-only file system (os error 30)", "Permission denied (os error 13)"])
def test_a_folder_that_cannot_be_written_is_not_tried_again(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("obstore.put", _Failing(f"Generic LocalFileSystem error: {said}"))
    with pytest.raises(StoreError) as caught:
        open_store(str(tmp_path)).write("k", b"x")
    assert caught.value.exit_code == ExitCode.USAGE


def test_an_unknown_error_keeps_its_first_line_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("obstore.put", _Failing("Generic error: odd\n\nDebug source: a page of it"))
    with pytest.raises(StoreError) as caught:
        open_store(str(tmp_path)).write("k", b"x")
    assert str(caught.value) == f"{tmp_path}: Generic error: odd"


def test_endless_conflicts_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from obstore.exceptions import AlreadyExistsError

    def busy(*_args: object, **_options: object) -> None:
        raise AlreadyExistsError("Server returned non-2xx status code: 409 Conflict: ...")

    waits: list[float] = []
    monkeypatch.setattr("obstore.put", busy)
    monkeypatch.setattr("time.sleep", waits.append)
    with pytest.raises(StoreError, match="kept it busy"):
        open_store(str(tmp_path)).write_new("k", b"x")
    assert waits == sorted(waits)
    assert len(waits) > 3


@pytest.mark.parametrize("uri", ["gs://bucket", "s3://", "s3://bucket/a//b"])
def test_what_names_no_store_is_a_usage_error(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    with pytest.raises(UsageError, match=uri):
        open_store(uri)


@pytest.mark.parametrize(
    ("message", "mend"),
    [
        ("404 Not Found: <Code>NoSuchBucket</Code>", "create it"),
        ("403 Forbidden: <Code>SignatureDoesNotMatch</Code>", "AWS_SECRET_ACCESS_KEY"),
        ("403 Forbidden: <Code>AccessDenied</Code>", "ask for read, write"),
        ("403 Forbidden: <Code>RequestTimeTooSkewed</Code>", "clock"),
        ("403 Forbidden: <Code>AccountProblem</Code>", "refused; check AWS_ACCESS_KEY_ID and"),
        ("403 Forbidden: <Code>AccountProblem</Code>", "(the server says: AccountProblem)"),
        ("403 Forbidden:", "refused"),
        ("400: Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object", "AWS_CHECKSUM_ALGORITHM=sha256"),
        ("HTTP error: error sending request", "AWS_ENDPOINT_URL"),
        ("Permission denied (os error 13)", "who owns"),
    ],
)
def test_each_known_error_has_its_mend(message: str, mend: str) -> None:
    line = explain("s3://bucket", message)
    assert line.startswith("s3://bucket: ")
    assert mend in line
