"""Print, as a JSON list, the calls in a local cloud's record that could change something, oldest first.

    writes.py http://127.0.0.1:4566 eu-west-1 [SINCE]

SINCE is a time in seconds since 1970; without it, all are printed that the record still has.
The root user's access key is in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the environment.
The record is CloudTrail's LookupEvents, which answers with 50 calls at a time and knows the name of a
call only where that is in the URL or in a header; for EC2, IAM and RDS it is among the parameters.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

READS = re.compile(r"(?:Get|List|Describe|Head|Filter|Lookup|BatchGet|Simulate)[A-Z]|AssumeRole")
# IAM keeps its record in the first region, wherever the stack is.
FIRST_REGION = "us-east-1"


def recorded(endpoint: str, region: str, since: float) -> Iterator[dict[str, Any]]:
    """Yield the calls since a time in a region's record that it does not know as reads, newest first."""
    seen: set[str] = set()
    end: float | None = None
    while True:
        query: dict[str, Any] = {
            "LookupAttributes": [{"AttributeKey": "ReadOnly", "AttributeValue": "false"}],
            "StartTime": since,
        }
        # Not by boto3, which rounds times to seconds.
        request = signed(endpoint, region, json.dumps(query | ({"EndTime": end} if end is not None else {})))
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            events = [event for event in json.load(answer)["Events"] if event["EventId"] not in seen]
        if not events:
            return
        seen.update(event["EventId"] for event in events)
        end = events[-1]["EventTime"]
        yield from events


def signed(endpoint: str, region: str, body: str) -> urllib.request.Request:
    """Return a signed request for events of the record."""
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents",
    }
    request = AWSRequest("POST", endpoint, headers, body)
    key = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(key, "cloudtrail", region).add_auth(request)
    return urllib.request.Request(endpoint, body.encode(), dict(request.headers))  # noqa: S310 # the test's own


def name(event: dict[str, Any]) -> str:
    """Return the name of the call."""
    parameters = json.loads(event["CloudTrailEvent"])["requestParameters"] or {}
    return str(parameters.get("Action", event["EventName"]))


def main(endpoint: str, region: str, since: str = "0") -> None:
    """Print the calls that could change something in either region."""
    events = [event for where in sorted({FIRST_REGION, region}) for event in recorded(endpoint, where, float(since))]
    names = [name(event) for event in sorted(events, key=lambda event: float(event["EventTime"]))]
    print(json.dumps([call for call in names if not READS.match(call)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
