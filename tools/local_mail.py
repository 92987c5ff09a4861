#!/usr/bin/env python3
"""Show the e-mails of the local cloud: the oldest first, as SNS has sent them.

    tools/local_mail.py                 # all e-mails
    tools/local_mail.py --confirm       # first open the link of each confirmation that is asked for, as its owner would

On AWS they are in the mailboxes of those whom stack_notify lists.
"""

from __future__ import annotations

import argparse
import configparser
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

# As inventories/local has it.
DIRECTORY = Path(os.environ.get("LOCAL_CLOUD_DIR") or Path(__file__).resolve().parent.parent / ".local")
INBOX = "/_ministack/ses/messages"
LINK = re.compile(r"http://\S+Action=ConfirmSubscription\S+")
START = "Start it: ansible-playbook playbooks/local_cloud.yml -i inventories/local/hosts.yml"
TIMEOUT = 10

Mail = dict[str, Any]


def settings(directory: Path) -> tuple[str, str, Credentials]:
    """Return address, region and the root user's credentials of the local cloud in a folder.

    Raises:
        KeyError: There is none.
    """
    ini = configparser.ConfigParser(interpolation=None)
    ini.read([directory / "aws/config", directory / "aws/root"])
    profile, root = ini["profile local"], ini["root"]
    credentials = Credentials(root["aws_access_key_id"], root["aws_secret_access_key"])
    return profile["endpoint_url"], profile["region"], credentials


def inbox(directory: Path) -> list[Mail]:
    """Return all e-mails of the local cloud in a folder, the oldest first.

    Raises:
        KeyError: There is none.
        URLError: It does not answer.
    """
    url, region, credentials = settings(directory)
    request = AWSRequest("GET", url + INBOX)
    SigV4Auth(credentials, "ses", region).add_auth(request)
    signed = Request(url + INBOX, headers=dict(request.headers))  # noqa: S310 - the local cloud's own address
    with urlopen(signed, timeout=TIMEOUT) as answer:  # noqa: S310
        accounts: dict[str, list[Mail]] = json.load(answer)["messages"]
    return sorted((mail for mails in accounts.values() for mail in mails), key=lambda mail: float(mail["Timestamp"]))


def confirm(mails: Sequence[Mail]) -> int:
    """Open the links of the confirmations that are asked for; return how many that were."""
    links = {found[0] for mail in mails if (found := LINK.search(mail["BodyText"]))}
    opened = 0
    for link in links:
        try:
            with urlopen(link, timeout=TIMEOUT):  # noqa: S310 - LINK is of http only
                opened += 1
        except URLError:
            # It was opened before, or its topic is gone.
            continue
    return opened


def shown(mail: Mail) -> Iterator[str]:
    """Yield the lines of an e-mail."""
    yield f"Date:    {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(float(mail['Timestamp'])))} UTC"
    yield f"From:    {mail['Source']}"
    yield f"To:      {', '.join(mail['To'])}"
    yield f"Subject: {mail['Subject']}"
    yield ""
    yield from mail["BodyText"].rstrip().splitlines()


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 1 where there is no local cloud."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, default=DIRECTORY, help="folder of the local cloud")
    parser.add_argument("--confirm", action="store_true", help="open the links of confirmations first")
    given = parser.parse_args(arguments)
    try:
        mails = inbox(given.directory)
        if given.confirm:
            print(f"{confirm(mails)} confirmed.")
    except (KeyError, URLError) as error:
        reason = "no local cloud" if isinstance(error, KeyError) else error.reason
        print(f"{given.directory}: {reason}. {START}", file=sys.stderr)
        return 1
    for mail in mails:
        print("\n".join(["", "-" * 80, *shown(mail)]))
    if not mails:
        print("There are no e-mails.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
