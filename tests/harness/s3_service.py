"""An S3 service on loopback: moto's server, with one bucket."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "argus-objects"
KEY_ID, SECRET = "synthetic-key-id", "synthetic-secret"


@dataclass(frozen=True, slots=True)
class S3Service:
    """The endpoint of a running service, and a client of its own to look at the bucket and change it."""

    endpoint: str
    client: "boto3.client"  # type: ignore[valid-type]  # boto3 makes its classes at run time


@contextmanager
def running_s3_service() -> Iterator[S3Service]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
        )
        client.create_bucket(Bucket=BUCKET)
        yield S3Service(endpoint, client)
    finally:
        server.stop()
