"""What is asked of S3 with every request, as it goes over the wire; and what a real server makes of checksums."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ctiforge.errors import UsageError
from ctiforge.store.leftovers import find_leftovers
from ctiforge.store.objects import hash_file, open_store

ENCRYPTION = "x-amz-server-side-encryption"
Request = tuple[str, dict[str, str]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Request]]:
    """What a server that says yes to every write was asked: method and path, headers."""
    requests: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            requests.append((f"{self.command} {self.path}", {k.lower(): v for k, v in self.headers.items()}))
            body = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
            if "uploadId" in self.path:
                body = b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"
            if self.command != "POST":
                body = b""
            self.send_response(200)
            self.send_header("ETag", '"e"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT
        do_GET = do_PUT

        def log_message(self, *args: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://localhost:{server.server_port}",
            "AWS_ACCESS_KEY_ID": "anyone",
            "AWS_SECRET_ACCESS_KEY": "anything",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield requests
        server.shutdown()


def test_nothing_is_asked_for_that_nobody_set(asked: list[Request]) -> None:
    open_store("s3://bucket/mine").write("k", b"data")

    ((path, headers),) = asked
    assert path == "PUT /bucket/mine/k"
    assert not [name for name in headers if name.startswith((ENCRYPTION, "x-amz-checksum"))]


@pytest.mark.parametrize("named", [True, False])
def test_everything_is_encrypted_with_the_key_also_where_only_the_key_is_named(
    asked: list[Request], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: bool
) -> None:
    monkeypatch.setenv("AWS_SSE_KMS_KEY_ID", "arn:key")
    monkeypatch.setenv("AWS_SSE_BUCKET_KEY_ENABLED", "true")
    if named:
        monkeypatch.setenv("AWS_SERVER_SIDE_ENCRYPTION", "aws:kms")
    (tmp_path / "large").write_bytes(b"x" * 9_000_000)
    store = open_store("s3://bucket/mine")
    store.write("k", b"data")
    store.write_new("new", b"data")
    store.upload(tmp_path / "large", "large")

    made = [headers for path, headers in asked if "partNumber" not in path and "uploadId" not in path]
    assert len(made) == 3
    for headers in made:
        assert headers[ENCRYPTION] == "aws:kms"
        assert headers[f"{ENCRYPTION}-aws-kms-key-id"] == "arn:key"
        assert headers[f"{ENCRYPTION}-bucket-key-enabled"] == "true"


@pytest.mark.parametrize("algorithm", ["sha256", "crc64nvme"])
def test_a_checksum_goes_with_what_is_written(
    asked: list[Request], monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    monkeypatch.setenv("AWS_CHECKSUM_ALGORITHM", algorithm)
    open_store("s3://bucket").write("k", b"data")

    assert f"x-amz-checksum-{algorithm}" in asked[0][1]


def test_the_bucket_stands_in_the_path_or_in_the_name_of_the_host(
    asked: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    # a proxy is asked for hosts that no name server knows
    for name, value in {"http_proxy": os.environ["AWS_ENDPOINT_URL"], "no_proxy": ""}.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.upper(), value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://s3.invalid")
    monkeypatch.setenv("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true")
    store = open_store("s3://bucket/mine")
    store.write("k", b"data")
    find_leftovers(store)

    monkeypatch.delenv("AWS_VIRTUAL_HOSTED_STYLE_REQUEST")
    open_store("s3://bucket/mine").write("k", b"data")
    find_leftovers(store)

    assert [path.partition("?")[0] for path, _ in asked] == [
        "PUT http://bucket.s3.invalid/mine/k",
        "GET http://bucket.s3.invalid/",
        "PUT http://s3.invalid/bucket/mine/k",
        "GET http://s3.invalid/bucket",
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AWS_SERVER_SIDE_ENCRYPTION", "kms"),
        ("AWS_CHECKSUM_ALGORITHM", "md5"),
        ("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "yes"),
        ("AWS_SSE_BUCKET_KEY_ENABLED", "1"),
    ],
)
def test_a_value_that_there_is_not_is_refused_by_name(
    asked: list[Request], monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=f"{variable}={value}: give one of"):
        open_store("s3://bucket")


def test_a_key_that_nothing_would_use_is_refused(asked: list[Request], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SERVER_SIDE_ENCRYPTION", "AES256")
    monkeypatch.setenv("AWS_SSE_KMS_KEY_ID", "arn:key")
    with pytest.raises(UsageError, match="AWS_SSE_KMS_KEY_ID names a key"):
        open_store("s3://bucket")


def test_a_real_server_takes_files_with_checksums(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CHECKSUM_ALGORITHM", "sha256")
    (tmp_path / "large").write_bytes(b"x" * 9_000_000)
    store = open_store(s3_bucket)

    assert store.upload(tmp_path / "large", "large") == hash_file(tmp_path / "large") == store.hash("large")
