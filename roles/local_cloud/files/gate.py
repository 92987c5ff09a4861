"""Refuse requests before the emulator sees them, unless they come from this machine's programs and are signed.

ministack verifies no signature of the root user, whose access key is the account's number, finds that key in the query
string too, verifies no signature at all without IAM enforcement, and lets every web page read its answers. Whoever can
send it a request, such as a page in a browser on this machine or another user of it, could create and invoke a
function, which is a process of the user who started it. So:

* A request with the header `Origin`, or of which a browser says that a page made it, is refused: a page may send simple
  requests anywhere. https://fetch.spec.whatwg.org/#origin-header https://www.w3.org/TR/fetch-metadata/
* A request for a host that is not this machine is refused: a page's own host name may lead here (DNS rebinding).
* Every other request has to be signed with Signature Version 4 in the header `Authorization`, with the secret of the
  root user, which is random for each local cloud, or with that of an IAM user's access key or of a session. Nothing in
  the query string is taken for credentials. Without a signature, only whether the emulator is ready can be asked, and
  the link of SNS be opened that confirms a subscription, which has a random token.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Application = Callable[[Message, Receive, Send], Awaitable[None]]

NAMES = ("127.0.0.1", "localhost")
"""The hosts that requests may be for, on whatever port."""
UNSIGNED = ("/_ministack/health", "/_ministack/ready")
"""What is answered without a signature: that the emulator runs, its version, and nothing of the account."""
CONFIRMING = {"Action", "TopicArn", "Token"}
"""The parameters of the link that confirms a subscription."""
ROOT_ONLY = "/_"
"""The prefix of what is the emulator's and no call of AWS, such as removing the whole account."""
LARGEST = 100 * 2**20
"""Bytes of a body whose hash is signed without being sent: those of all services but S3."""
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,=\s]+)/[0-9]{8}/[^/,=\s]+/[^/,=\s]+/aws4_request, ?"
    r"SignedHeaders=(?P<signed>[a-z0-9;._-]+), ?Signature=[0-9a-f]{64}"
)
QUERY_CREDENTIALS = frozenset({"x-amz-algorithm", "x-amz-credential", "x-amz-signature", "awsaccesskeyid"})


@dataclass(frozen=True)
class Request:
    """A request without its body.

    Attributes:
        method: HTTP method.
        path: The path, decoded.
        raw_path: The path as it was sent.
        query: The parameters in the query string.
        headers: The values of each header, by its name in lower case.
    """

    method: str
    path: str
    raw_path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, Sequence[str]]

    @property
    def joined(self) -> dict[str, str]:
        """The headers as they are signed: several values of one are joined by a comma."""
        return {name: ",".join(values) for name, values in self.headers.items()}


def read(scope: Message) -> Request:
    """Read a request, as the emulator does."""
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            text = value.decode("latin-1")
        headers.setdefault(name.decode("latin-1").lower(), []).append(text)
    raw_path = (scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1")
    query = parse_qs(scope.get("query_string", b"").decode("utf-8", "replace"), keep_blank_values=True)
    return Request(scope["method"], scope["path"], raw_path, query, headers)


def foreign(request: Request) -> str:
    """Return why a request may come from a web page; empty where it does not."""
    hosts = request.headers.get("host", [])
    if len(hosts) != 1 or re.sub(r":[0-9]+$", "", hosts[0]).lower() not in NAMES:
        return f"The local cloud answers requests for {' and '.join(NAMES)} only, and this one is for {hosts!r}."
    if "origin" in request.headers:
        return "The local cloud answers no web pages, and this request has the header Origin."
    if set(request.headers.get("sec-fetch-site", [])) - {"none"}:
        return "The local cloud answers no web pages, and this request has the header Sec-Fetch-Site of one."
    return ""


def access_key(request: Request) -> str:
    """Return the access key that a request is signed with in its header; empty where it is not, or ambiguously so."""
    authorizations = request.headers.get("authorization", [])
    signed = AUTHORIZATION.fullmatch(authorizations[0]) if len(authorizations) == 1 else None
    if not signed or "host" not in signed["signed"].split(";"):
        return ""
    return "" if QUERY_CREDENTIALS & {name.lower() for name in request.query} else str(signed["key"])


def confirms(request: Request) -> bool:
    """Return whether a request is the link by which SNS has a subscription confirmed, which AWS serves to everybody."""
    return (
        (request.method, request.path, request.query.get("Action")) == ("GET", "/", ["ConfirmSubscription"])
        and set(request.query) == CONFIRMING
        and all(len(values) == 1 for values in request.query.values())
    )


class Gate:
    """An ASGI application that lets only signed requests of this machine's programs through to another one."""

    def __init__(self, inner: Application, secret: str, *, enforced: bool) -> None:
        """Guard `inner`.

        Args:
            inner: The emulator.
            secret: The secret access key of the root user.
            enforced: Whether IAM is: otherwise every unknown access key is one of the root user.
        """
        self._inner = inner
        self._secret = secret
        self._enforced = enforced

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, _without_cors(send))
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        request = read(scope)
        said = foreign(request)
        if said:
            await _refuse(send, said)
            return
        if request.method == "GET" and request.path in UNSIGNED:
            # Nothing else of the request is passed on: whatever it is, it is asked for nothing else.
            await self._inner({**scope, "query_string": b"", "headers": _only_host(scope)}, receive, send)
            return
        if confirms(request):
            await self._inner({**scope, "headers": _only_host(scope)}, receive, send)
            return
        key = access_key(request)
        if not key:
            await _refuse(
                send,
                "The local cloud answers requests only that are signed with Signature Version 4 in the header "
                "Authorization, and none that have credentials in the query string.",
            )
            return
        body, receive = await _read_body(request, receive)
        failure = self._failure(request, key, body)
        if failure is None:
            await self._inner(scope, receive, send)
        else:
            await _fail(send, request, *failure)

    def _failure(self, request: Request, key: str, body: bytes | None) -> tuple[str, str] | None:
        """Return the error code and message for a signature that is not valid."""
        from ministack.core import iam_evaluator, sigv4  # noqa: PLC0415 - reads its settings when it is imported

        if body is None:
            return "SignatureDoesNotMatch", f"The body has more than {LARGEST} bytes and no X-Amz-Content-Sha256."
        headers = request.joined
        signature = sigv4.parse_header_signature(headers)
        if isinstance(signature, tuple):
            return str(signature[0]), str(signature[1])
        secret, code, message = self._secret_of(key, headers.get("x-amz-security-token", ""))
        if code:
            return code, message
        if request.path.startswith(ROOT_ONLY) and not iam_evaluator.is_root_access_key(key):
            return "UnrecognizedClientException", "Only the root user may call the emulator itself."
        failure = sigv4.request_time_failure(signature) or sigv4.header_signature_failure(
            signature, secret, request.method, request.raw_path, request.query, headers, body
        )
        return (str(failure[0]), str(failure[1])) if failure else None

    def _secret_of(self, key: str, token: str) -> tuple[str, str, str]:
        """Return the secret of an access key; without one, the error code and message."""
        from ministack.core import iam_evaluator, responses  # noqa: PLC0415

        if iam_evaluator.is_root_access_key(key):
            return self._secret, "", ""
        try:
            account = (
                responses._account_from_sts_session(key)  # noqa: SLF001
                or iam_evaluator.find_iam_access_key_account(key)
                or responses.get_account_id()
            )
        except iam_evaluator.AmbiguousAccessKeyError:
            return "", "UnrecognizedClientException", "The security token included in the request is invalid."
        found = iam_evaluator.resolve_credential(key, account, token)
        if not isinstance(found, iam_evaluator.CredentialResolutionError):
            return str(found.secret_access_key), "", ""
        if found.code == "UnrecognizedClientException" and not self._enforced:
            return self._secret, "", ""
        # For AWS, a key of a session without the session's token is unknown.
        unknown = found.code == "InvalidToken" and not token
        return "", "UnrecognizedClientException" if unknown else str(found.code), str(found.message)


def _only_host(scope: Message) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in scope["headers"] if name.lower() == b"host"]


def _without_cors(send: Send) -> Send:
    """Remove what tells a browser that a page may read an answer."""

    async def filtered(message: Message) -> None:
        headers = message.get("headers", [])
        kept = [(name, value) for name, value in headers if not name.lower().startswith(b"access-control-")]
        await send({**message, "headers": kept} if message["type"] == "http.response.start" else message)

    return filtered


async def _read_body(request: Request, receive: Receive) -> tuple[bytes | None, Receive]:
    """Return the body where the signature depends on it, None where it is too large, and how it is received again."""
    declared = request.headers.get("x-amz-content-sha256", [""])[0]
    if declared and not declared.startswith("STREAMING-AWS4-"):
        return b"", receive
    messages: list[Message] = []
    size = 0
    while not messages or messages[-1].get("more_body"):
        messages.append(await receive())
        size += len(messages[-1].get("body", b""))
        if size > LARGEST:
            return None, receive
    waiting = iter(messages)

    async def again() -> Message:
        message = next(waiting, None)
        return await receive() if message is None else message

    return b"".join(message.get("body", b"") for message in messages), again


async def _refuse(send: Send, message: str) -> None:
    headers = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}
    await _send(send, HTTPStatus.FORBIDDEN, headers, f"{message}\n".encode())


async def _fail(send: Send, request: Request, code: str, message: str) -> None:
    """Answer with an error in the form of the service, which the emulator knows."""
    from ministack import app  # noqa: PLC0415
    from ministack.core import iam_evaluator, router  # noqa: PLC0415

    headers = request.joined
    service = router.detect_service(request.method, request.path, headers, request.query)
    error = iam_evaluator.AuthError(code, message)
    await _send(send, *app._credential_failure(service, "", str(uuid.uuid4()), error, headers))  # noqa: SLF001


async def _send(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    lines = {**headers, "content-length": str(len(body))}
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in lines.items()]
    await send({"type": "http.response.start", "status": int(status), "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def give_functions_secret_credentials(secret: str, *, enforced: bool) -> None:
    """Give functions credentials that nobody can compute.

    ministack's are hashes of the ARNs of the function and its role. Without IAM enforcement they are the root user's.

    Args:
        secret: The secret access key of the root user.
        enforced: Whether IAM is: otherwise functions are the root user.
    """
    from ministack.core import lambda_runtime  # noqa: PLC0415
    from ministack.services import lambda_svc, sts  # noqa: PLC0415

    issued: dict[tuple[str, str], tuple[str, str, str]] = {}

    def credentials(config: Mapping[str, Any]) -> dict[str, str]:
        arn, role = str(config["FunctionArn"]), str(config.get("Role", "")).rpartition("/")[2]
        account = arn.split(":")[4]
        if enforced:
            new = f"ASIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30), secrets.token_urlsafe(60)
            key, own, token = issued.setdefault((arn, role), new)
            session = str(config.get("FunctionName", "function"))[:64]
            sts.register_session(
                key,
                {
                    "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
                    "UserId": f"{role}:{session}",
                    "SecretAccessKey": own,
                    "SessionToken": token,
                },
            )
        else:
            key, own, token = account, secret, ""
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": own, "AWS_SESSION_TOKEN": token}

    lambda_runtime.execution_credentials = lambda_svc.execution_credentials = credentials


def install(secret: str) -> None:
    """Put the gate in front of ministack, which this process is going to run, and of all that is in front of it.

    Args:
        secret: The secret access key of the root user.

    Raises:
        ValueError: The secret is empty or short, so that it can be guessed.
    """
    if len(secret) < 20:
        raise ValueError("the root user's secret access key has less than 20 characters")
    from ministack import app  # noqa: PLC0415 - reads its settings when it is imported

    give_functions_secret_credentials(secret, enforced=app.AUTH)
    app.app = Gate(app.app, secret, enforced=app.AUTH)
