"""Streams from S3 that break, and errors of S3."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from botocore.config import Config
from mypy_boto3_s3 import S3Client

from csv_importer.aws import REOPENINGS, S3Store
from csv_importer.errors import ConfigurationError, FileRefused, TransientError
from csv_importer.objects import ObjectVersion
from csv_importer.ports import ByteStream

from .conftest import BUCKET, Cloud
from .files import version_of

CONTENT = bytes(range(256)) * 2_000


class Bucket(ThreadingHTTPServer):
    """An S3 that breaks its connections, or refuses."""

    breaks: list[int]
    """After how many bytes each further answer ends too early."""
    refusals: list[tuple[int, str]]
    """Status and code of each further answer instead."""
    ranges: list[str]
    """The Range headers that it received."""
    whole: bool = False
    """Whether it ignores them."""


class Answer(BaseHTTPRequestHandler):
    """One response."""

    server: Bucket

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "bytes=0-")
        self.server.ranges.append(asked)
        if self.server.refusals:
            status, code = self.server.refusals.pop(0)
            body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        start = 0 if self.server.whole else int(re.sub(r"\D", "", asked))
        body = CONTENT[start:]
        self.send_response(200 if self.server.whole else 206)
        self.send_header("Content-Length", str(len(body)))
        if not self.server.whole:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        self.wfile.write(body[: self.server.breaks.pop(0)] if self.server.breaks else body)
        self.close_connection = True

    def do_HEAD(self) -> None:
        status, _ = self.server.refusals.pop(0) if self.server.refusals else (200, "")
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with Bucket(("127.0.0.1", 0), Answer) as server:
        server.breaks, server.refusals, server.ranges = [], [], []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(bucket: Bucket) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{bucket.server_port}",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        region_name="eu-west-1",
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def read_all(stream: ByteStream) -> bytes:
    content = b""
    while data := stream.read(70_000):
        content += data
    stream.close()
    return content


def test_a_stream_that_breaks_is_resumed_where_it_broke(bucket: Bucket, client: S3Client) -> None:
    bucket.breaks = [100_000, 1, 0, 200_000]
    stream = S3Store(client).open(version_of(), 0)
    assert stream.size == len(CONTENT)
    assert read_all(stream) == CONTENT
    assert bucket.ranges == [f"bytes={offset}-" for offset in (0, 100_000, 100_001, 100_001, 300_001)]


def test_a_server_that_ignores_ranges_gives_no_byte_twice(bucket: Bucket, client: S3Client) -> None:
    bucket.whole = True
    stream = S3Store(client).open(version_of(), 123_456)
    assert stream.size == len(CONTENT)
    assert read_all(stream) == CONTENT[123_456:]
    bucket.breaks = [200_000, 400_000]
    assert read_all(S3Store(client).open(version_of(), 0)) == CONTENT


def test_a_server_that_ignores_ranges_and_breaks_before_them_is_transient(bucket: Bucket, client: S3Client) -> None:
    bucket.whole = True
    bucket.breaks = [100_000]
    with pytest.raises(TransientError, match="stream from S3"):
        S3Store(client).open(version_of(), 123_456)


def test_a_stream_that_always_breaks_is_given_up(bucket: Bucket, client: S3Client) -> None:
    bucket.breaks = [0] * 50
    stream = S3Store(client).open(version_of(), 0)
    with pytest.raises(TransientError, match="breaks again and again"):
        stream.read(1)
    stream.close()
    assert len(bucket.ranges) == 2 + REOPENINGS


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "NoSuchKey", FileRefused),
        (404, "NoSuchVersion", FileRefused),
        (405, "MethodNotAllowed", FileRefused),
        (412, "PreconditionFailed", FileRefused),
        (403, "InvalidObjectState", FileRefused),
        (403, "AccessDenied", ConfigurationError),
        (503, "SlowDown", TransientError),
        (500, "InternalError", TransientError),
    ],
)
def test_errors_of_s3_are_classified(
    bucket: Bucket, client: S3Client, status: int, code: str, kind: type[Exception]
) -> None:
    bucket.refusals = [(status, code)]
    with pytest.raises(kind):
        S3Store(client).open(version_of(), 0)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", ConfigurationError),
        (405, "MethodNotAllowed", FileRefused),
        (503, "SlowDown", TransientError),
        (400, "BadRequest", TransientError),
    ],
)
def test_only_not_found_says_that_a_version_is_gone(
    bucket: Bucket, client: S3Client, status: int, code: str, kind: type[Exception]
) -> None:
    store = S3Store(client)
    bucket.refusals = [(404, "NoSuchVersion")]
    assert not store.exists(version_of())
    bucket.refusals = [(status, code)]
    with pytest.raises(kind):
        store.exists(version_of())
    bucket.refusals = []
    assert store.exists(version_of())


def test_a_denied_object_may_also_be_gone(bucket: Bucket, client: S3Client) -> None:
    bucket.refusals = [(403, "AccessDenied")]
    with pytest.raises(ConfigurationError, match=r"may not read the object .*s3:ListBucket .* is gone"):
        S3Store(client).open(version_of(), 0)


def test_a_service_that_does_not_answer_is_transient(bucket: Bucket, client: S3Client) -> None:
    bucket.shutdown()
    bucket.server_close()
    with pytest.raises(TransientError, match="S3 does not answer"):
        S3Store(client).open(version_of(), 0)


def test_the_end_of_an_object_is_no_error(cloud: Cloud) -> None:
    cloud.put("end.csv", b"abc")
    assert read_all(S3Store(cloud.s3).open(ObjectVersion(BUCKET, "end.csv", "etag:", ""), 3)) == b""


def test_an_empty_object_is_no_error(cloud: Cloud) -> None:
    cloud.put("empty.csv", b"")
    stream = S3Store(cloud.s3).open(ObjectVersion(BUCKET, "empty.csv", "etag:", ""), 0)
    assert (stream.size, read_all(stream)) == (0, b"")
