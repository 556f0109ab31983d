"""S3: how a bucket is reached, and what is asked of it with every request."""

import os
from typing import Any

from ctiforge.errors import StoreError, UsageError


def open_backend(uri: str) -> Any:
    """Open a prefix of a bucket for obstore; UsageError where the URI names none, StoreError without credentials."""
    import botocore.session
    from obstore.auth.boto3 import Boto3CredentialProvider
    from obstore.store import S3Store

    bucket, _, prefix = uri.removeprefix("s3://").strip("/").partition("/")
    if not bucket:
        raise UsageError(f"{uri} names no bucket: give s3://bucket/prefix")
    session = botocore.session.Session()
    region = os.environ.get("AWS_REGION") or session.get_config_variable("region") or "us-east-1"
    endpoint = _endpoint(session)
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
            config={"region": region, "disable_bulk_delete": True, **({"endpoint": endpoint} if endpoint else {})},
            credential_provider=credentials,
            client_options={"allow_http": True, "timeout": "300s"},
            retry_config={"max_retries": 5},
        )
    except ValueError as error:
        raise UsageError(f"{uri} is no place in S3: {str(error).splitlines()[0]}") from None


def _endpoint(session: Any) -> str | None:
    from_environment = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return from_environment or session.get_scoped_config().get("endpoint_url")
