"""S3: how a bucket is reached, and what is asked of it with every request.

Everything comes from the environment, so that programs, pods and other tools on the machine use one bucket alike.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ctiforge.errors import StoreError, UsageError

ENCRYPTION = "AWS_SERVER_SIDE_ENCRYPTION"
KMS_KEY = "AWS_SSE_KMS_KEY_ID"
BUCKET_KEY = "AWS_SSE_BUCKET_KEY_ENABLED"
CHECKSUM = "AWS_CHECKSUM_ALGORITHM"
VIRTUAL_HOST = "AWS_VIRTUAL_HOSTED_STYLE_REQUEST"
SWITCH = ("true", "false")
CHOICES = {
    ENCRYPTION: ("AES256", "aws:kms", "aws:kms:dsse"),
    BUCKET_KEY: SWITCH,
    CHECKSUM: ("sha256", "crc64nvme"),
    VIRTUAL_HOST: SWITCH,
}
"""What each variable may say; the id of a KMS key is anything."""
TIMEOUT_S = 30


@dataclass(frozen=True)
class Bucket:
    """A bucket as S3's own calls see it, for what is no object: uploads under way, versions, locks.

    Attributes:
        client: botocore's client.
        name: The bucket.
        prefix: What the keys of the store begin with in it, with a slash at the end; "" for the whole bucket.
    """

    client: Any
    name: str
    prefix: str


def open_backend(uri: str) -> Any:
    """Open a prefix of a bucket for obstore; UsageError for a wrong URI or variable, StoreError without credentials."""
    from obstore.auth.boto3 import Boto3CredentialProvider
    from obstore.store import S3Store

    bucket, prefix = _parts(uri)
    session, region, endpoint = _session(bucket)
    config: Any = {"region": region, "disable_bulk_delete": True} | read_options(os.environ)
    if endpoint:
        config["endpoint"] = endpoint
    try:
        credentials = Boto3CredentialProvider(session)
    except ValueError:
        raise StoreError(
            f"{uri}: no AWS credentials found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role"
        ) from None
    try:
        return S3Store(
            bucket,
            prefix=prefix or None,
            config=config,
            credential_provider=credentials,
            client_options={"allow_http": True, "timeout": "300s"},
            retry_config={"max_retries": 5},
        )
    except ValueError as error:
        raise UsageError(f"{uri} is no place in S3: {str(error).splitlines()[0]}") from None


def open_bucket(uri: str) -> Bucket:
    """Open the bucket of a store for botocore's calls."""
    from botocore.config import Config

    name, prefix = _parts(uri)
    # what names the bucket in the host's place is botocore's own affair
    session, region, endpoint = _session(None)
    config = Config(
        connect_timeout=TIMEOUT_S,
        read_timeout=TIMEOUT_S,
        s3={"addressing_style": "virtual" if _is_on(os.environ, VIRTUAL_HOST) else "path"},
    )
    client = session.create_client("s3", region_name=region, endpoint_url=endpoint, config=config)
    return Bucket(client, name, f"{prefix}/" if prefix else "")


def read_options(environment: Mapping[str, str]) -> dict[str, Any]:
    """Read encryption, checksum and style of address into obstore's options; UsageError names a wrong variable."""
    for name, choices in CHOICES.items():
        value = environment.get(name)
        if value and value not in choices:
            raise UsageError(f"{name}={value}: give one of {', '.join(choices)}, or leave it out")
    key, encryption = environment.get(KMS_KEY), environment.get(ENCRYPTION)
    if key and encryption == "AES256":
        raise UsageError(f"{KMS_KEY} names a key, but {ENCRYPTION}=AES256 uses none: leave one of them out")
    # a key alone would be passed over, and everything written without it
    options: dict[str, Any] = {"server_side_encryption": encryption or ("aws:kms" if key else None)}
    options |= {"sse_kms_key_id": key, "checksum_algorithm": environment.get(CHECKSUM)}
    options |= {"sse_bucket_key_enabled": True if _is_on(environment, BUCKET_KEY) else None}
    options |= {"virtual_hosted_style_request": True if _is_on(environment, VIRTUAL_HOST) else None}
    return {name: value for name, value in options.items() if value}


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, prefix = uri.removeprefix("s3://").strip("/").partition("/")
    if not bucket:
        raise UsageError(f"{uri} names no bucket: give s3://bucket/prefix")
    return bucket, prefix


def _session(bucket: str | None) -> tuple[Any, str, str | None]:
    """Give botocore's session, the region, and the endpoint where one is named; with `bucket` in the host's name."""
    import botocore.session

    session = botocore.session.Session()
    region = os.environ.get("AWS_REGION") or session.get_config_variable("region") or "us-east-1"
    from_environment = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    endpoint = from_environment or session.get_scoped_config().get("endpoint_url")
    if endpoint and bucket and _is_on(os.environ, VIRTUAL_HOST):
        # obstore takes such an endpoint to name the bucket already
        parts = urlsplit(endpoint)
        if not parts.netloc.startswith(f"{bucket}."):
            endpoint = parts._replace(netloc=f"{bucket}.{parts.netloc}").geturl()
    return session, region, endpoint


def _is_on(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name) == "true"
