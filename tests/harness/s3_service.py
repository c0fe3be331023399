"""An S3 service on loopback: moto's server with one bucket, behind a check of presigned addresses."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.credentials import Credentials
from moto.server import ThreadedMotoServer

from tests.harness.presigned_addresses import PresignedCheck

BUCKET = "argus-objects"
KEY_ID, SECRET = "synthetic-key-id", "synthetic-secret"


@dataclass(frozen=True, slots=True)
class S3Service:
    """The endpoint of a running service, its check of presigned addresses, and a client of its own to look at the
    bucket and change it."""

    endpoint: str
    presigned: PresignedCheck
    client: "boto3.client"  # type: ignore[valid-type]  # boto3 makes its classes at run time


@contextmanager
def running_s3_service() -> Iterator[S3Service]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        assert server._server is not None
        server._server.app = presigned = PresignedCheck(server._server.app, Credentials(KEY_ID, SECRET))
        endpoint = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
        )
        client.create_bucket(Bucket=BUCKET)
        yield S3Service(endpoint, presigned, client)
    finally:
        server.stop()


def bucket_settings(folder: Path, service: S3Service, *, prefix: str, bucket: str = BUCKET) -> str:
    """Return the section of a settings file in `folder` that names a bucket, with its file of credentials."""
    (folder / "s3-credentials").write_text(f"{KEY_ID}\n{SECRET}\n")
    return (
        f'[objects]\nurl = "s3://{bucket}/{prefix}"\nendpoint = "{service.endpoint}"\n'
        'credentials_file = "s3-credentials"\n'
    )
