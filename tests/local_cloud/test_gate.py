"""What a web page in a browser on this machine, and another user of it, can do to a local cloud: nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests import servers

ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/function"
FUNCTIONS = "/2015-03-31/functions"
CODE = """
import os
import boto3

def handler(event, context):
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    who = boto3.client("sts").get_caller_identity()["Arn"]
    return {"who": who, "key": [os.environ[name] for name in names], "environment": dict(os.environ)}
"""
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def archive() -> bytes:
    """Return the zip of the function."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("code.py", CODE)
    return content.getvalue()


@dataclass(frozen=True)
class Answer:
    """What a request was answered with."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True)
class Cloud:
    """A local cloud without containers, started by its launcher."""

    url: str
    folder: Path
    enforced: bool

    @property
    def port(self) -> int:
        """The port of its API."""
        return int(self.url.rpartition(":")[2])

    def client(self, service: str, key: str = ACCOUNT, secret: str = servers.SECRET, token: str | None = None) -> Any:
        """Return a boto3 client, by default of the root user."""
        return boto3.client(  # type: ignore[call-overload] # the stubs want a literal
            service,
            region_name=servers.REGION,
            endpoint_url=self.url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def send(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> Answer:
        """Send a request with exactly these headers, and the length of its body."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        found = Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
        connection.close()
        return found

    @property
    def host(self) -> tuple[str, str]:
        """The header Host of an ordinary request."""
        return ("Host", f"127.0.0.1:{self.port}")

    def unchanged(self) -> bool:
        """Return whether the account is as the fixture has left it."""
        names = [one["FunctionName"] for one in self.client("lambda").list_functions()["Functions"]]
        buckets = [one["Name"] for one in self.client("s3").list_buckets()["Buckets"]]
        return (names, buckets) == (["mine"], ["mine"])


@pytest.fixture(scope="module", params=["enforced", "not-enforced"])
def cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A local cloud with a function and a bucket; IAM is enforced as in `make local`, or not as in most tests."""
    folder = tmp_path_factory.mktemp("gate")
    enforced = request.param == "enforced"
    with (servers.authorizing_ministack if enforced else servers.ministack)(folder) as url:
        made = Cloud(url, folder, enforced)
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        made.client("iam").create_role(RoleName="function", AssumeRolePolicyDocument=document)
        made.client("lambda").create_function(
            FunctionName="mine",
            Role=ROLE,
            Runtime="python3.13",
            Handler="code.handler",
            Code={"ZipFile": archive()},
        )
        configuration = {"LocationConstraint": servers.REGION}
        made.client("s3").create_bucket(Bucket="mine", CreateBucketConfiguration=configuration)
        yield made


def signed(  # noqa: PLR0917
    cloud: Cloud,
    method: str = "GET",
    path: str = f"{FUNCTIONS}/",
    secret: str = servers.SECRET,
    body: bytes = b"",
    service: str = "lambda",
    host: str = "",
) -> list[tuple[str, str]]:
    """Return the headers of a signed request of the root user."""
    request = AWSRequest(method, f"http://{host or f'127.0.0.1:{cloud.port}'}{path}", data=body)
    SigV4Auth(Credentials(ACCOUNT, secret), service, servers.REGION).add_auth(request)
    return [("Host", host or f"127.0.0.1:{cloud.port}"), *request.headers.items()]


SCOPE = f"{ACCOUNT}/20260101/{servers.REGION}/lambda/aws4_request"
CREDENTIALS = f"X-Amz-Credential={SCOPE.replace('/', '%2F')}"
ORIGIN = ("Origin", "https://attacker.example")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
TEXT = ("Content-Type", "text/plain")
PREFLIGHT = [("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization")]
CROSS_SITE = ("Sec-Fetch-Site", "cross-site")


@dataclass(frozen=True)
class Sent:
    """A request without its header Host."""

    method: str
    path: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


CREATE = json.dumps(
    {"FunctionName": "theirs", "Role": ROLE, "Runtime": "python3.13", "Handler": "code.handler"}
).encode()
BROWSER = {
    "a form": Sent("POST", "/", [ORIGIN, FORM], b"Action=CreateUser&UserName=theirs&Version=2010-05-08"),
    "a form with the account in the query": Sent("POST", f"/?{CREDENTIALS}", [ORIGIN, FORM], b"Action=ListUsers"),
    "a form of a page without origin": Sent("POST", "/", [("Origin", "null"), FORM], b"Action=ListUsers"),
    "fetch no-cors": Sent("POST", f"{FUNCTIONS}?{CREDENTIALS}", [ORIGIN, TEXT], CREATE),
    "fetch no-cors that invokes": Sent("POST", f"{FUNCTIONS}/mine/invocations?{CREDENTIALS}", [ORIGIN, TEXT], b"{}"),
    "an image": Sent("GET", f"{FUNCTIONS}/?{CREDENTIALS}", [CROSS_SITE]),
    "an image of a page of the same site": Sent("GET", "/_ministack/health", [("Sec-Fetch-Site", "same-site")]),
    "a preflight": Sent("OPTIONS", FUNCTIONS, [ORIGIN, *PREFLIGHT]),
    "a preflight of a bucket": Sent("OPTIONS", "/mine/key", [ORIGIN, *PREFLIGHT]),
    "a page that reads the health": Sent("GET", "/_ministack/health", [ORIGIN]),
    "the removal of the account": Sent("POST", "/_ministack/reset", [ORIGIN, TEXT]),
}


@pytest.mark.parametrize("sent", BROWSER.values(), ids=BROWSER.keys())
def test_a_page_in_a_browser_is_refused(cloud: Cloud, sent: Sent) -> None:
    answer = cloud.send(sent.method, sent.path, [cloud.host, *sent.headers], sent.body)
    assert answer.status == 403
    assert "answers no web pages" in answer.body
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    assert cloud.unchanged()


@pytest.mark.parametrize("headers", [[ORIGIN], [CROSS_SITE], [("Sec-Fetch-Site", "same-origin")]])
def test_a_page_is_refused_whatever_it_knows(cloud: Cloud, headers: list[tuple[str, str]]) -> None:
    assert cloud.send("GET", f"{FUNCTIONS}/", [*signed(cloud), *headers]).status == 403


@pytest.mark.parametrize(
    "host", ["attacker.example", "127.0.0.1.attacker.example", "localhost.attacker.example", "[::1]"]
)
def test_a_name_that_leads_here_is_refused(cloud: Cloud, host: str) -> None:
    host = f"{host}:{cloud.port}"
    for path in ("/_ministack/health", f"{FUNCTIONS}/"):
        answer = cloud.send("GET", path, signed(cloud, path=path, host=host))
        assert (answer.status, host in answer.body) == (403, True)


@pytest.mark.parametrize("hosts", [[], ["127.0.0.1", "attacker.example"]], ids=["none", "two"])
def test_one_host_has_to_be_named(cloud: Cloud, hosts: list[str]) -> None:
    # Without one, the server itself refuses the request.
    answer = cloud.send("GET", "/_ministack/health", [("Host", host) for host in hosts])
    assert answer.status in (400, 403)


def test_a_websocket_is_refused(cloud: Cloud) -> None:
    key = [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13")]
    upgrade = [cloud.host, ("Connection", "Upgrade"), ("Upgrade", "websocket"), *key]
    connection = HTTPConnection("127.0.0.1", cloud.port, timeout=30)
    connection.putrequest("GET", "/_aws/execute-api/api/stage", skip_host=True, skip_accept_encoding=True)
    for name, value in upgrade:
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 403
    connection.close()


def authorization(credential: str, signature: str = "0" * 64) -> tuple[str, str]:
    """Return a header of that name."""
    return (
        "Authorization",
        f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature={signature}",
    )


OTHERS = {
    "unsigned": Sent("GET", f"{FUNCTIONS}/"),
    "unsigned, to create a function": Sent("POST", FUNCTIONS, [], CREATE),
    "unsigned, of a bucket": Sent("GET", "/mine?versions"),
    "unsigned, of an object": Sent("PUT", "/mine/key", [], b"theirs"),
    "the account in the query": Sent("GET", f"{FUNCTIONS}/?{CREDENTIALS}"),
    "the account in the query, in small letters": Sent("GET", f"{FUNCTIONS}/?{CREDENTIALS.lower()}"),
    "signature version 2": Sent("GET", "/mine", [("Authorization", f"AWS {ACCOUNT}:AAAAAAAAAAAAAAAAAAAAAAAAAAA=")]),
    "signature version 2 in the query": Sent("GET", f"/mine?AWSAccessKeyId={ACCOUNT}&Signature=x&Expires=9999999999"),
    "no date": Sent("GET", f"{FUNCTIONS}/", [authorization(SCOPE)]),
    "a made-up signature": Sent(
        "GET", f"{FUNCTIONS}/", [authorization(SCOPE), ("X-Amz-Date", f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}")]
    ),
    "no signature": Sent("GET", f"{FUNCTIONS}/", [("Authorization", f"AWS4-HMAC-SHA256 Credential={SCOPE}")]),
    "another algorithm": Sent(
        "GET", f"{FUNCTIONS}/", [("Authorization", f"AWS4-ECDSA-P256-SHA256 Credential={SCOPE}, Signature=00")]
    ),
    "the metadata service": Sent("GET", "/latest/meta-data/iam/security-credentials/"),
    "the code of a function": Sent("GET", f"/_ministack/lambda-code/{ACCOUNT}/{servers.REGION}/mine"),
    "the settings of the emulator": Sent("POST", "/_ministack/config", [], b"{}"),
    "the removal of the account": Sent("POST", "/_ministack/reset"),
    "the health, with more": Sent("POST", "/_ministack/health", [FORM], b"Action=ListUsers&Version=2010-05-08"),
}


@pytest.mark.parametrize("sent", OTHERS.values(), ids=OTHERS.keys())
def test_another_user_of_this_machine_is_refused(cloud: Cloud, sent: Sent) -> None:
    answer = cloud.send(sent.method, sent.path, [cloud.host, *sent.headers], sent.body)
    assert answer.status in (400, 403)
    assert cloud.unchanged()


@pytest.mark.parametrize(
    "secret",
    ["test", "any", ACCOUNT, servers.SECRET[:-1], servers.SECRET.swapcase()],
    ids=["the-default", "any", "the-account", "almost", "the-other-case"],
)
@pytest.mark.parametrize("key", [ACCOUNT, "test", "111111111111"])
def test_the_root_users_key_with_another_secret_is_refused(cloud: Cloud, key: str, secret: str) -> None:
    for service, operation, code in (
        ("lambda", "list_functions", "InvalidSignatureException"),
        ("s3", "list_buckets", "SignatureDoesNotMatch"),
        ("ec2", "describe_vpcs", "AuthFailure"),
        ("iam", "list_users", "SignatureDoesNotMatch"),
    ):
        with pytest.raises(ClientError) as refused:
            getattr(cloud.client(service, key, secret), operation)()
        assert refused.value.response["Error"]["Code"] == code


def test_what_is_signed_and_then_changed_is_refused(cloud: Cloud) -> None:
    headers = signed(cloud, "POST", "/", body=b"Action=ListUsers&Version=2010-05-08", service="iam")
    good = cloud.send("POST", "/", headers, b"Action=ListUsers&Version=2010-05-08")
    assert good.status == 200
    for method, path, body in (
        ("POST", "/", b"Action=CreateUser&Version=2010-05-08&UserName=theirs"),
        ("POST", "/?Action=CreateUser", b"Action=ListUsers&Version=2010-05-08"),
        ("PUT", "/", b"Action=ListUsers&Version=2010-05-08"),
        ("POST", "/mine", b"Action=ListUsers&Version=2010-05-08"),
    ):
        assert cloud.send(method, path, headers, body).status == 403


def test_what_was_signed_long_ago_is_refused(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=16)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: long_ago)
    assert cloud.send("GET", f"{FUNCTIONS}/", signed(cloud)).status == 403
    monkeypatch.undo()
    assert cloud.send("GET", f"{FUNCTIONS}/", signed(cloud)).status == 200


def test_credentials_in_the_query_string_are_refused_also_where_they_are_valid(cloud: Cloud) -> None:
    request = AWSRequest("GET", f"{cloud.url}{FUNCTIONS}/")
    SigV4QueryAuth(Credentials(ACCOUNT, servers.SECRET), "lambda", servers.REGION).add_auth(request)
    assert cloud.send("GET", str(request.url).removeprefix(cloud.url), [cloud.host]).status == 403
    url = cloud.client("s3").generate_presigned_url("list_objects_v2", {"Bucket": "mine"})
    assert cloud.send("GET", url.removeprefix(cloud.url), [cloud.host]).status == 403
    path = f"{FUNCTIONS}/?{CREDENTIALS}"
    assert cloud.send("GET", path, signed(cloud, path=path)).status == 403


def test_a_signature_is_good_for_the_access_key_that_it_names_only(cloud: Cloud) -> None:
    """Read by the emulator and by what verifies it in two ways, a header must not name two."""
    own = f"AKIATHEIRS/20260101/{servers.REGION}/lambda/aws4_request"
    for headers in (
        [("Authorization", f"AWS4-HMAC-SHA256 Credential={SCOPE}, Credential={own}, SignedHeaders=host, Signature=0")],
        [authorization(own), authorization(SCOPE)],
        [("Authorization", f"{dict(signed(cloud))['Authorization']}, Credential={SCOPE}")],
        [("Authorization", dict(signed(cloud))["Authorization"]), authorization(SCOPE)],
    ):
        others = [one for one in signed(cloud) if one[0] != "Authorization"]
        assert cloud.send("GET", f"{FUNCTIONS}/", [*others, *headers]).status == 403


def user(cloud: Cloud, name: str) -> tuple[str, str]:
    """Create a user who may do everything, and return an access key."""
    iam = cloud.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="everything", PolicyDocument=json.dumps(EVERYTHING))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def test_a_user_is_who_the_user_signs_as(cloud: Cloud) -> None:
    key, secret = user(cloud, "signing")
    assert cloud.client("lambda", key, secret).list_functions()["Functions"]
    for wrong in ("test", servers.SECRET):
        with pytest.raises(ClientError, match="InvalidSignatureException"):
            cloud.client("lambda", key, wrong).list_functions()


def test_the_emulator_itself_is_the_root_users(cloud: Cloud) -> None:
    request = AWSRequest("GET", f"{cloud.url}/_ministack/ses/messages")
    SigV4Auth(Credentials(*user(cloud, "curious")), "ses", servers.REGION).add_auth(request)
    refused = cloud.send("GET", "/_ministack/ses/messages", [cloud.host, *request.headers.items()])
    path = "/_ministack/ses/messages"
    assert (refused.status, cloud.send("GET", path, signed(cloud, path=path)).status) == (403, 200)


def test_only_whether_it_is_ready_is_answered_to_everybody(cloud: Cloud) -> None:
    plain = cloud.send("GET", "/_ministack/health", [cloud.host])
    more = [cloud.host, ("X-Amz-Target", "AmazonSSM.DescribeParameters"), authorization(SCOPE)]
    assert (plain.status, json.loads(plain.body)["version"] != "") == (200, True)
    assert cloud.send("GET", f"/_ministack/health?Action=ListUsers&{CREDENTIALS}", more).body == plain.body
    assert ACCOUNT not in plain.body
    assert not [name for name in plain.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_objects_of_any_key_and_size_pass(cloud: Cloud, size: int) -> None:
    s3 = cloud.client("s3")
    for key in ("a b+ü/ä.csv", "a/../b//c", "%41~'()*!"):
        s3.put_object(Bucket="mine", Key=key, Body=b"x" * size)
        assert s3.get_object(Bucket="mine", Key=key)["Body"].read() == b"x" * size
        s3.delete_object(Bucket="mine", Key=key)


def test_a_function_calls_with_credentials_that_nobody_can_compute(cloud: Cloud) -> None:
    answer = json.loads(cloud.client("lambda").invoke(FunctionName="mine")["Payload"].read())
    key, secret, token = answer["key"]
    assert cloud.client("sts", key, secret, token or None).get_caller_identity()["Arn"] == answer["who"]
    # As ministack makes them, from what everybody knows.
    function = f"arn:aws:lambda:{servers.REGION}:{ACCOUNT}:function:mine"
    digest = hashlib.sha256(f"{function}:{ROLE}".encode()).hexdigest()
    made = [
        f"ASIA{digest[:16].upper()}",
        *(hashlib.sha256(f"{x}:{digest}".encode()).hexdigest() for x in ("secret", "token")),
    ]
    with pytest.raises(ClientError, match=r"InvalidClientTokenId|SignatureDoesNotMatch"):
        cloud.client("sts", *made).get_caller_identity()
    assert not {secret, token} & {*made, "test"}
    # Without enforcement there is nobody but the root user.
    assert (servers.SECRET in answer["environment"].values()) is not cloud.enforced


def test_the_secret_is_in_a_file_of_the_owner_only(cloud: Cloud) -> None:
    (process,) = started_in(cloud.folder)
    assert servers.SECRET not in Path(f"/proc/{process}/cmdline").read_text()
    assert (cloud.folder / "root").stat().st_mode & 0o077 == 0


def started_in(folder: Path) -> list[int]:
    """Return the ids of the launchers that were started with a file of a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_text().split("\0")
        except OSError:
            continue
        if f"{folder}/ministack.json" in words:
            found.append(int(path.parent.name))
    return found


def listening(process: int) -> set[str]:
    """Return the addresses that a process listens on, IPv4 in hexadecimal as in /proc/net/tcp."""
    links = [str(path.readlink()) for path in Path(f"/proc/{process}/fd").iterdir() if path.is_symlink()]
    inodes = {found[1] for link in links if (found := re.fullmatch(r"socket:\[(\d+)\]", link))}
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                addresses.add(fields[1].partition(":")[0])
    return addresses


def test_it_listens_on_loopback_only(cloud: Cloud) -> None:
    (process,) = started_in(cloud.folder)
    assert listening(process) == {"0100007F"}


@pytest.mark.parametrize(("family", "address"), [("AF_INET", "0.0.0.0"), ("AF_INET6", "::")])  # noqa: S104 - refused
def test_no_service_of_the_emulator_can_listen_on_every_interface(family: str, address: str) -> None:
    program = f"""
import asyncio, socket, launcher
launcher.listen_on_loopback_only()
async def serve(host):
    async with await asyncio.start_server(print, host, 0, family=socket.{family}):
        pass
if socket.{family} == socket.AF_INET:
    asyncio.run(serve("127.0.0.1"))
try:
    asyncio.run(serve({address!r}))
except PermissionError as refused:
    print(refused)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(servers.LOCAL_CLOUD)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"listens on loopback only, not on {address}" in done.stdout


def test_a_secret_that_can_be_guessed_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("[root]\naws_access_key_id = test\naws_secret_access_key = test\n")
    settings: dict[str, Any] = {
        "authorizations": None,
        "environment": servers.settings_of(tmp_path, servers.free_port()),
        "publish_on": [],
        "root": str(tmp_path / "root"),
        "strict": None,
    }
    (tmp_path / "ministack.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [sys.executable, str(servers.LOCAL_CLOUD / "launcher.py"), str(tmp_path / "ministack.json")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "less than 20 characters" in done.stderr
