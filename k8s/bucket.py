"""Makes the development store's bucket, waiting for a server that has just started to be reachable from here."""

import boto3
from botocore.config import Config

BUCKET = "ctiforge"
s3 = boto3.client("s3", config=Config(retries={"mode": "standard", "max_attempts": 12}))
if BUCKET not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
    s3.create_bucket(Bucket=BUCKET)
