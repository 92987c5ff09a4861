"""Calls of the AWS API as operation and parameters, and answers as content, in whatever protocol they are."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.parsers import create_parser
from moto.core.exceptions import ServiceException
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound

CREDENTIAL = re.compile(r"Credential=[^/]+/[0-9]{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
SIGNING_NAMES = {
    "lambda": "lambda",
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
}
"""botocore's name of a service, where it is signed by another."""
type Headers = Mapping[str, str]


class Refusal(ServiceException):
    """What AWS answers in place of a result: an error code and a message."""

    def __init__(self, code: str, message: str, status: int = 0) -> None:
        """Answer with ``code``, as botocore has it in ``Error.Code``; a ``status`` is used in place of the model's."""
        super().__init__(code, message)
        self.status = status


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        service: botocore's name of the service, such as cloudwatch.
        operation: botocore's name of the operation, such as PutMetricAlarm.
        parameters: Its parameters by their names in botocore's model.
        region: The region that it is signed for.
        model: botocore's model of the operation.
        protocol: The protocol that it is written in.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]
    region: str = "eu-west-1"
    model: Any = field(default=None, repr=False, compare=False)
    protocol: str = ""

    @property
    def name(self) -> str:
        """Service and operation, as ``ec2:CreateVpc``."""
        return f"{self.service}:{self.operation}"

    @property
    def is_read(self) -> bool:
        """Whether the call changes nothing."""
        return bool(re.match(r"(Batch)?(Get|List|Describe|Head|Filter|Lookup|Simulate)[A-Z]", self.operation))

    def values(self, *names: str) -> Iterator[Any]:
        """Yield the values of all parameters of these names, wherever in the call, those of lists one by one."""
        yield from _values(self.parameters, names)


def _values(node: Any, names: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in names:
                yield from value if isinstance(value, list) else [value]
            yield from _values(value, names)
    elif isinstance(node, list):
        for one in node:
            yield from _values(one, names)


def texts(node: Any) -> Iterator[str]:
    """Yield every string in parameters or an answer."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)


def resources(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the resources in an answer, which has one as ``name``, or a list of them as its plural."""
    return [*filter(None, [content.get(name)]), *(content.get(f"{name}s") or [])]


def instances(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the instances in an answer of EC2, which lists them by reservations."""
    return [one for part in [content, *content.get("Reservations", [])] for one in part.get("Instances", [])]


def read_call(method: str, url: str, headers: Headers, body: bytes) -> Call | None:
    """Return the call that a request is; None where it is none that botocore knows, such as a health check.

    Args:
        method: HTTP method.
        url: The whole URL, as it was sent.
        headers: Its headers, with names in lower case.
        body: Its body.
    """
    signed = CREDENTIAL.search(headers.get("authorization", ""))
    if not signed:
        return None
    service = SIGNING_NAMES.get(signed["service"], signed["service"])
    request = Request.from_primitives(method, url, dict(headers), body)
    try:
        model, path_parameters = get_service_router(service).match(request)
        protocol = determine_request_protocol(get_service_model(service), request.content_type)
    except (NotFound, NotImplementedError, LookupError, ValueError):
        return None
    parameters = PROTOCOL_PARSERS[protocol](model).parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.data or body,
            "url_path": request.path,
            "url_params": path_parameters,
        }
    )
    return Call(service, str(model.name), parameters, signed["region"], model, protocol)


@functools.cache
def _parser(protocol: str) -> Any:
    return create_parser(protocol)


def read_answer(call: Call, status: int, headers: Headers, body: bytes) -> dict[str, Any]:
    """Return the content of an answer, as botocore returns it to its caller."""
    parsed = _parser(call.protocol).parse(
        {"status_code": status, "headers": dict(headers), "body": body}, call.model.output_shape
    )
    parsed.pop("ResponseMetadata", None)
    return dict(parsed)


def write_answer(call: Call, content: Mapping[str, Any] | Refusal) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of an answer with this content, or of this error."""
    serializer = get_serializer_class(call.service, call.protocol)(call.model)
    written = serializer.serialize(content)
    body = written["body"]
    data = body if isinstance(body, bytes) else str(body).encode()
    headers = {key.lower(): str(value) for key, value in written["headers"].items()}
    status = getattr(content, "status", 0) or int(written["status_code"])
    return status, {**headers, "content-length": str(len(data))}, data
