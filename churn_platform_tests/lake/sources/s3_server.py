"""An S3-compatible server on 127.0.0.1 with one bucket."""

import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "shop-exports"
LOGGER = "werkzeug"


@dataclass
class S3Server:
    """A running server; `put` stores an object in its bucket."""

    endpoint: str
    client: Any

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Serve until the block ends."""
    logging.getLogger(LOGGER).setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="maker",
        aws_secret_access_key="maker",  # noqa: S106 - of no real account
    )
    client.create_bucket(Bucket=BUCKET)
    try:
        yield S3Server(endpoint, client)
    finally:
        client.close()
        reset = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")  # noqa: S310 - on 127.0.0.1
        urllib.request.urlopen(reset).close()  # noqa: S310
        server.stop()
