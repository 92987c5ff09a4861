"""The bucket, the secret, IAM authentication tokens and the function itself, through boto3."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
from urllib3.exceptions import HTTPError

from csv_importer.errors import ConfigurationError, FileRefused, TransientError
from csv_importer.objects import ObjectVersion
from csv_importer.ports import Credentials, Message, Published, Secrets

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef, HeadObjectRequestTypeDef
    from mypy_boto3_secretsmanager import SecretsManagerClient

    class _Sns(Protocol):
        """What is used of the client of SNS."""

        def publish_batch(self, *, TopicArn: str, PublishBatchRequestEntries: Sequence[object]) -> dict[str, Any]: ...  # noqa: N803


CLIENT_CONFIG = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 4})
"""Short enough that an unreachable network is noticed before an invocation's time is up."""

BRIEF_CONFIG = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 1})
"""For what follows on an import, which waits for it: once, and no longer than this."""

PAUSE_SECONDS = 60.0
"""Seconds for which imports leave a topic, or the tags of a bucket, alone after a refusal."""

TOPIC_BYTES = 256 * 1024
"""Bytes of the messages that SNS takes at once: https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html."""

REOPENINGS = 5
"""How often in a row a broken stream is resumed at its offset."""

SKIP_BYTES = 1 << 20
"""Bytes that are skipped at once."""

_GONE = {
    "NoSuchKey": "the object is gone",
    "NoSuchVersion": "this version of the object is gone",
    "NoSuchBucket": "the bucket is gone",
    "404": "the object is gone",
    "405": "this version of the object is a delete marker",
    "MethodNotAllowed": "this version of the object is a delete marker",
    "412": "the object was replaced before it was read",
    "PreconditionFailed": "the object was replaced before it was read",
    "InvalidObjectState": "the object is archived: restore it, then replay the import",
}
_NOT_FOUND = ("NoSuchKey", "NoSuchVersion", "404")
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
_DENIED_OR_GONE = "; without s3:ListBucket on the bucket, S3 answers the same where the object is gone"


class S3Store:
    """The bucket: see ports.ObjectStore."""

    def __init__(self, client: "S3Client | None" = None) -> None:
        """Use a client, or one with the environment's settings."""
        self._client = client or boto3.client("s3", config=CLIENT_CONFIG)

    def identify(self, version: ObjectVersion) -> ObjectVersion:
        """Ask for the id of an object version: see ports.ObjectStore.

        HeadObject needs the same permissions as GetObject:
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
        """
        request: HeadObjectRequestTypeDef = {"Bucket": version.bucket, "Key": version.key}
        if version.is_named:
            request["VersionId"] = version.version_id
        elif version.etag:
            request["IfMatch"] = f'"{version.etag}"'
        with _translated():
            response = self._client.head_object(**request)
        return version.identified(response.get("VersionId", ""), response.get("ETag", ""), response["LastModified"])

    def exists(self, version: ObjectVersion) -> bool:
        """Return whether the bucket still has an object version that it has given an id.

        With s3:ListBucket, 404 says that it has not; without it, S3 denies the request.

        Raises:
            FileRefused: What is under that id is no object.
            TransientError: S3 does not answer.
            ConfigurationError: The role may not ask.
        """
        try:
            with _translated():
                self._client.head_object(Bucket=version.bucket, Key=version.key, VersionId=version.version_id)
        except FileRefused as refused:
            if isinstance(refused.__cause__, ClientError) and _code_of(refused.__cause__) in _NOT_FOUND:
                return False
            raise
        return True

    def open(self, version: ObjectVersion, offset: int) -> "S3Stream":
        """Open one version of an object: see ports.ObjectStore."""
        return S3Stream(self._client, version, offset)


class S3Stream:
    """An object's content from some offset on; a broken connection is replaced, and resumes where it broke."""

    def __init__(self, client: "S3Client", version: ObjectVersion, offset: int) -> None:
        """Open the stream.

        Raises:
            FileRefused: The object is gone or archived.
            TransientError: S3 did not answer.
            ConfigurationError: The role may not read it.
        """
        self._client = client
        self._version = version
        self._offset = offset
        self._body: StreamingBody | None = None
        self._closed = False
        self.size = 0
        self._open()

    def read(self, size: int) -> bytes:
        """Read up to size bytes: see ports.ByteStream."""
        cause = ""
        for _ in range(1 + REOPENINGS):
            if self._closed:
                return b""
            cause = "it ends too early"
            try:
                data = self._body.read(size) if self._body else b""
            except (HTTPClientError, IncompleteReadError, HTTPError, OSError) as error:
                data, cause = b"", type(error).__name__
            self._offset += len(data)
            if data or self._offset >= self.size:
                return data
            self._open()
        raise TransientError(f"the stream from S3 breaks again and again ({cause})")

    def close(self) -> None:
        """Close the connection: see ports.ByteStream."""
        self._closed = True
        if self._body:
            self._body.close()

    def _open(self) -> None:
        if self._body:
            self._body.close()
        request: GetObjectRequestTypeDef = {"Bucket": self._version.bucket, "Key": self._version.key}
        if self._version.is_named:
            request["VersionId"] = self._version.version_id
        elif self._version.etag:
            request["IfMatch"] = f'"{self._version.etag}"'
        if self._offset:
            request["Range"] = f"bytes={self._offset}-"
        try:
            with _translated():
                response = self._client.get_object(**request)
        except _PastTheEnd:
            # Nothing follows: what was read last was the end.
            self._body, self.size = None, self._offset
            return
        self._body = response["Body"]
        # A server may ignore a range and answer with the whole object. Taken for the range, its first rows would be
        # loaded again.
        ignored = bool(self._offset) and not response.get("ContentRange", "").startswith(f"bytes {self._offset}-")
        self.size = response["ContentLength"] + (0 if ignored else self._offset)
        if ignored:
            self._skip(self._offset)

    def _skip(self, count: int) -> None:
        """Read past so many bytes.

        Raises:
            TransientError: The connection breaks.
        """
        while count and self._body:
            try:
                skipped = len(self._body.read(min(count, SKIP_BYTES)))
            except (HTTPClientError, IncompleteReadError, HTTPError, OSError) as error:
                raise TransientError(f"the stream from S3 breaks ({type(error).__name__})") from error
            if not skipped:
                raise TransientError("the stream from S3 ends too early")
            count -= skipped


class SecretsManager:
    """The importer's secret: see ports.Secrets."""

    KEYS: Mapping[str, type] = {
        "rds_writer_endpoint": str,
        "rds_port": int,
        "rds_username": str,
        "rds_password": str,
        "rds_db": str,
    }

    def __init__(
        self, secret_id: str, client: "SecretsManagerClient | None" = None, *, with_password: bool = True
    ) -> None:
        """Use a client, or one with the environment's settings.

        Args:
            secret_id: The secret's name or ARN.
            client: The client.
            with_password: Whether the secret has to hold a password; otherwise none is returned.
        """
        self._secret_id = secret_id
        self._with_password = with_password
        self._client = client or boto3.client("secretsmanager", config=CLIENT_CONFIG)
        self._known: Credentials | None = None

    def credentials(self, *, fresh: bool = False) -> Credentials:
        """Read the secret: see ports.Secrets."""
        if fresh or self._known is None:
            self._known = self._parse(self._fetch())
        return self._known

    def _fetch(self) -> str | None:
        try:
            return self._client.get_secret_value(SecretId=self._secret_id).get("SecretString")
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in ("ResourceNotFoundException", "InvalidRequestException"):
                raise ConfigurationError(
                    f"secret {self._secret_id!r} does not exist or is being deleted (SECRET_ID)"
                ) from error
            raise _client_error(error, f"read secret {self._secret_id!r}") from error
        except BotoCoreError as error:
            raise TransientError(f"Secrets Manager does not answer ({type(error).__name__})") from error

    def _parse(self, text: str | None) -> Credentials:
        try:
            found = json.loads(text or "")
        except ValueError:
            # The error would show the text.
            raise ConfigurationError(f"secret {self._secret_id!r} is not JSON") from None
        if not isinstance(found, dict):
            raise ConfigurationError(f"secret {self._secret_id!r} is not a JSON object")
        needed = [key for key in self.KEYS if self._with_password or key != "rds_password"]
        missing = [key for key in needed if found.get(key) in (None, "")]
        if missing:
            raise ConfigurationError(f"secret {self._secret_id!r} lacks {', '.join(missing)}")
        try:
            port = int(str(found["rds_port"]))
        except ValueError:
            raise ConfigurationError(f"secret {self._secret_id!r}: rds_port is no number") from None
        return Credentials(
            host=str(found["rds_writer_endpoint"]),
            port=port,
            user=str(found["rds_username"]),
            password=str(found["rds_password"]) if self._with_password else "",
            database=str(found["rds_db"]),
            lock_key=str(found.get("rds_password") or ""),
        )


class TokenSecrets:
    """The importer's secret with an IAM authentication token as password, a new one each time: see ports.Secrets."""

    def __init__(self, secrets: Secrets, sign: Callable[..., str] | None = None) -> None:
        """Add tokens to a secret.

        Args:
            secrets: Where endpoint and user come from.
            sign: Signs a token, with the parameters of RDS' generate_db_auth_token; without it, that of a
                client with the environment's settings. It calls no service: tokens are signed locally.
        """
        self._secrets = secrets
        self._sign = sign or boto3.client("rds", config=CLIENT_CONFIG).generate_db_auth_token

    def credentials(self, *, fresh: bool = False) -> Credentials:
        """Read the secret and sign a token: see ports.Secrets."""
        known = self._secrets.credentials(fresh=fresh)
        try:
            token = self._sign(DBHostname=known.host, Port=known.port, DBUsername=known.user)
        except BotoCoreError as error:
            raise TransientError(f"no IAM authentication token can be signed ({type(error).__name__})") from error
        return replace(known, password=token)


class SelfInvocation:
    """Another, asynchronous invocation of the same function: see ports.Continuation."""

    def __init__(self, function: str, client: "LambdaClient | None" = None) -> None:
        """Use a client, or one with the environment's settings, created when it is needed."""
        self._function = function
        self._client = client

    def send(self, event: Mapping[str, object]) -> None:
        """Invoke the function: see ports.Continuation."""
        self._client = self._client or boto3.client("lambda", config=CLIENT_CONFIG)
        try:
            self._client.invoke(FunctionName=self._function, InvocationType="Event", Payload=json.dumps(event).encode())
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise TransientError(f"the function could not be invoked to continue ({code})") from error
        except BotoCoreError as error:
            raise TransientError(f"Lambda does not answer ({type(error).__name__})") from error


class SnsTopic:
    """A topic of SNS: see ports.Topic."""

    def __init__(self, arn: str, client: "_Sns | None" = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Use a client, or one with the environment's settings, created when it is needed: that takes a while.

        Args:
            arn: The topic.
            client: The client.
            clock: Seconds, from any start.
        """
        self.name = arn
        self._client = client
        self._clock = clock
        self._pauses_until = -math.inf

    @property
    def pausing(self) -> bool:
        """Whether it has refused, or not answered, shortly before: see ports.Topic."""
        return self._clock() < self._pauses_until

    def publish(self, messages: Sequence[Message]) -> Published:
        """Publish messages: see ports.Topic."""
        accepted: list[str] = []
        for some in _within(messages, TOPIC_BYTES):
            try:
                now, reason = self._publish(some)
            except ClientError as error:
                about = error.response.get("Error", {})
                now, reason = [], f"SNS refuses: {about.get('Code', '')}: {about.get('Message', '')}"
            except BotoCoreError as error:
                now, reason = [], f"SNS does not answer ({type(error).__name__})"
            accepted += now
            if now:
                self._pauses_until = -math.inf
            if reason:
                self._pauses_until = self._clock() + PAUSE_SECONDS
                return Published(accepted, reason)
        return Published(accepted)

    def _publish(self, messages: Sequence[Message]) -> tuple[list[str], str | None]:
        """Publish messages in one call; return the ids of those that are accepted, and why others are not."""
        if self._client is None:
            # arn:partition:sns:region:account:name, which may be of another region than the function.
            region = (self.name.split(":") + [""] * 4)[3] or None
            self._client = cast("_Sns", boto3.client("sns", region_name=region, config=BRIEF_CONFIG))
        response = self._client.publish_batch(
            TopicArn=self.name,
            PublishBatchRequestEntries=[
                {
                    "Id": message.id,
                    "Subject": message.subject,
                    "Message": message.body,
                    "MessageStructure": "json",
                    "MessageAttributes": {
                        name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()
                    },
                }
                for message in messages
            ],
        )
        failed = response.get("Failed", [])
        reason = f"SNS refuses: {failed[0].get('Code', '')}: {failed[0].get('Message', '')}" if failed else None
        return [each["Id"] for each in response.get("Successful", [])], reason


IMPORTED = ("csv-to-aurora", "imported")
"""The tag of an object that has been imported, for a lifecycle rule."""

MOST_TAGS = 10
"""Tags that an object may have: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html."""


class S3Tags:
    """The tags of objects in the bucket: see ports.Tags."""

    def __init__(self, client: "S3Client | None" = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Use a client, or one with the environment's settings, created when it is needed.

        Args:
            client: The client.
            clock: Seconds, from any start.
        """
        self._client = client
        self._clock = clock
        self._pauses_until = -math.inf

    @property
    def pausing(self) -> bool:
        """Whether it has refused, or not answered, shortly before: see ports.Tags."""
        return self._clock() < self._pauses_until

    def mark(self, version: ObjectVersion) -> None:
        """Tag an object version as imported: see ports.Tags."""
        # Not the one that reads objects: nobody waits for this for as long.
        self._client = self._client or boto3.client("s3", config=BRIEF_CONFIG)
        key, value = IMPORTED
        try:
            with _translated("tag the object in S3"):
                found = self._client.get_object_tagging(
                    Bucket=version.bucket, Key=version.key, VersionId=version.version_id
                )["TagSet"]
                others = [tag for tag in found if tag["Key"] != key]
                if len(others) >= MOST_TAGS:
                    raise FileRefused(f"it has {len(others)} other tags, as many as an object may have")
                self._client.put_object_tagging(
                    Bucket=version.bucket,
                    Key=version.key,
                    VersionId=version.version_id,
                    Tagging={"TagSet": [*others, {"Key": key, "Value": value}]},
                )
        except (TransientError, ConfigurationError):
            self._pauses_until = self._clock() + PAUSE_SECONDS
            raise


def _within(messages: Sequence[Message], most: int) -> Iterator[Sequence[Message]]:
    """Split messages, so that what is published at once is no larger than SNS takes."""
    some: list[Message] = []
    left = most
    for message in messages:
        if some and message.size > left:
            yield some
            some, left = [], most
        some.append(message)
        left -= message.size
    if some:
        yield some


class _PastTheEnd(Exception):
    """The offset is the object's size."""


@contextmanager
def _translated(what: str = "read the object from S3") -> Iterator[None]:
    """Turn errors of S3 into those of csv_importer.errors."""
    try:
        yield
    except ClientError as error:
        code = _code_of(error)
        if code in ("416", "InvalidRange"):
            raise _PastTheEnd from error
        if code in _GONE:
            raise FileRefused(f"{_GONE[code]} (S3: {code})") from error
        raise _client_error(error, what, _DENIED_OR_GONE) from error
    except BotoCoreError as error:
        raise TransientError(f"S3 does not answer ({type(error).__name__})") from error


def _code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _client_error(error: ClientError, what: str, hint: str = "") -> TransientError | ConfigurationError:
    code = _code_of(error)
    if code in ("AccessDenied", "AccessDeniedException", "403"):
        return ConfigurationError(f"the function's role may not {what} ({code}){hint}")
    return TransientError(f"cannot {what} ({code})")
