"""The layer itself: an ASGI application around the emulator's."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from strict.calls import Call, Refusal, read_answer, read_call, write_answer
from strict.rule import Rule

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Application = Callable[[Message, Receive, Send], Awaitable[None]]

LARGEST = 100 * 2**20
"""Bytes of a body that are read here. The largest call has a function's zip; a larger body is that of an object."""


class Faults(Rule):
    """Calls go wrong at random, as they do on a network and under limits on the rate of calls.

    Attributes:
        source: Where AWS documents it.
        throttled: The share of calls that are refused for their rate.
        cut: The share of calls whose connection ends without an answer, before the call or after it.
    """

    source = "https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"
    CODES: ClassVar[Mapping[str, str]] = {
        # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
        "ec2": "RequestLimitExceeded",
        # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
        "s3": "SlowDown",
        # https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
        "lambda": "TooManyRequestsException",
        # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/CommonErrors.html
        "rds": "Throttling",
        "iam": "Throttling",
        "cloudwatch": "Throttling",
    }

    def __init__(self, seed: int, throttled: float = 0.0, cut: float = 0.0) -> None:
        """Take chances from a generator that starts at ``seed``."""
        super().__init__()
        self.throttled = throttled
        self.cut = cut
        self._chances = random.Random(seed)  # noqa: S311 - to be repeated

    def refuse(self, call: Call) -> Refusal | None:
        """Return the refusal of a call that is over the limit."""
        if self._chances.random() >= self.throttled:
            return None
        # With another status the SDK does not take these two for what they are, and does not try again.
        status = 503 if call.service in ("ec2", "s3") else 0
        return Refusal(self.CODES.get(call.service, "ThrottlingException"), "Rate exceeded", status)

    def cuts(self) -> str:
        """Return when a connection is cut: before the call is made, after it, or never, which is empty."""
        return self._chances.choice(("before", "after")) if self._chances.random() < self.cut else ""


class ConnectionCut(Exception):
    """Ends a connection without an answer."""


class Strict:
    """An ASGI application that is as strict as AWS, around one that is not."""

    def __init__(self, inner: Application, rules: Sequence[Rule], faults: Faults, record: Path) -> None:
        """Ask ``rules``, in their order, about each call of ``inner``, and write what they refuse to ``record``."""
        self.inner = inner
        self.rules = rules
        self.faults = faults
        self.record = record

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        call, receive = await self._read(scope, receive) if scope["type"] == "http" else (None, receive)
        if call is None:
            await self.inner(scope, receive, send)
            return
        cut = self.faults.cuts()
        if cut:
            self._note("cut", call, "", f"{cut} the call")
        if cut == "before":
            raise ConnectionCut
        for rule in (self.faults, *self.rules):
            refused = rule.refuse(call)
            if refused:
                self._note(type(rule).__name__, call, refused.code, refused.message)
                await _send(send, *write_answer(call, refused))
                return
        following = [rule for rule in self.rules if rule.follows(call)]
        content = next(filter(None, (rule.answer(call) for rule in self.rules)), None)
        if not content and not following and not cut:
            await self.inner(scope, receive, send)
            return
        answer = write_answer(call, content) if content else await _answer(self.inner, scope, receive)
        status, headers, body = answer
        if cut == "after":
            raise ConnectionCut
        if status < 300:
            status, headers, body = _followed(call, following, status, headers, body)
        await _send(send, status, headers, body)

    def _note(self, rule: str, call: Call, code: str, message: str) -> None:
        line = {"rule": rule, "call": call.name, "code": code, "message": message}
        with self.record.open("a") as file:
            file.write(json.dumps(line) + "\n")

    async def _read(self, scope: Message, receive: Receive) -> tuple[Call | None, Receive]:
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        if int(headers.get("content-length") or 0) > LARGEST or "transfer-encoding" in headers:
            return None, receive
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        body = b"".join(message.get("body", b"") for message in messages)
        receive = _again(messages, receive)
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        query = scope.get("query_string", b"").decode("latin-1")
        url = f"http://{headers.get('host', 'localhost')}{path}{'?' + query if query else ''}"
        return read_call(scope["method"], url, headers, body), receive


def _followed(
    call: Call, rules: Iterable[Rule], status: int, headers: Mapping[str, str], body: bytes
) -> tuple[int, Mapping[str, str], bytes]:
    """Return the answer after the rules have seen it; the emulator's own bytes where none has changed it."""
    before = read_answer(call, status, headers, body)
    content = copy.deepcopy(before)
    for rule in rules:
        rule.follow(call, content)
    if content == before:
        return status, headers, body
    status, changed, body = write_answer(call, content)
    return status, {**headers, **changed}, body


def _again(messages: list[Message], receive: Receive) -> Receive:
    waiting = iter(messages)

    async def again() -> Message:
        message = next(waiting, None)
        return await receive() if message is None else message

    return again


async def _answer(inner: Application, scope: Message, receive: Receive) -> tuple[int, Mapping[str, str], bytes]:
    """Return status, headers and body of what the emulator answers."""
    sent: list[Message] = []

    async def keep(message: Message) -> None:
        sent.append(message)

    await inner(scope, receive, keep)
    start = next(message for message in sent if message["type"] == "http.response.start")
    headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in start["headers"]}
    body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    return int(start["status"]), headers, body


async def _send(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    encoded = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
