"""What a store's troubles mean, and what to do about them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ctiforge.errors import StoreError

FOLDER_MENDS = {
    "os error 13": "permission denied; check who owns the folder",
    "os error 30": "the file system is read-only; name another place",
}
MENDS = FOLDER_MENDS | {
    "NoSuchBucket": "the bucket does not exist; create it, or name another place",
    "SignatureDoesNotMatch": "the secret key is wrong; check AWS_SECRET_ACCESS_KEY or the profile",
    "InvalidAccessKeyId": "the access key is unknown there; check AWS_ACCESS_KEY_ID or the profile",
    "ExpiredToken": "the credentials have expired; sign in again",
    "RequestTimeTooSkewed": "this machine's clock and the server's are too far apart; set them by a time server",
    "AccessDenied": "these credentials may not do this; ask for read, write, list and delete on the bucket",
    "403 Forbidden": "the credentials are refused; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "301 Moved": "the bucket lies in another region; set AWS_REGION",
    "Content-MD5": "the bucket locks objects and takes none without a checksum; set AWS_CHECKSUM_ALGORITHM=sha256",
    "error sending request": "nothing answers there; check AWS_ENDPOINT_URL and the network",
}


def explain(uri: str, message: str) -> str:
    """Say in one line the store, what is wrong and what to do; `message` is the library's error text."""
    for sign, mend in MENDS.items():
        if sign in message:
            code = re.search(r"<Code>(\w+)</Code>", message)
            said = f" (the server says: {code[1]})" if code and code[1] not in MENDS else ""
            return f"{uri}: {mend}{said}"
    return f"{uri}: {message.splitlines()[0][:300]}"


@contextmanager
def explained(uri: str, gone: str | None = None) -> Iterator[None]:
    """Turn what botocore raises into StoreError; an answer with the code `gone` is none."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as NoConnectionError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code != gone:
            raise StoreError(explain(uri, f"{code}: {error}")) from None
    except (NoConnectionError, HTTPClientError) as error:
        raise StoreError(explain(uri, f"error sending request: {error}")) from None
    except BotoCoreError as error:
        raise StoreError(explain(uri, str(error))) from None
