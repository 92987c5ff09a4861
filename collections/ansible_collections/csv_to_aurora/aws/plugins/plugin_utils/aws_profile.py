# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the AWS configuration says of the profile in use."""

from __future__ import annotations

import os
from configparser import ConfigParser, Error
from pathlib import Path


def mfa_profile(profile: str) -> str:
    """Return the profile in use if it asks for an MFA code, which only a terminal can answer; empty otherwise.

    Credentials of an assumed role are cached in memory, so that each process asks again:
    https://boto3.amazonaws.com/v1/documentation/api/latest/guide/credentials.html#assume-role-provider
    A configuration that cannot be read is for the AWS SDK to report.

    Args:
        profile: The profile that the inventory names; empty for the one of the shell.
    """
    if not profile and os.environ.get("AWS_ACCESS_KEY_ID"):
        return ""
    name = profile or os.environ.get("AWS_DEFAULT_PROFILE") or os.environ.get("AWS_PROFILE") or "default"
    config = ConfigParser(interpolation=None, strict=False)
    try:
        config.read(Path(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser())
    except (Error, OSError, UnicodeDecodeError):
        return ""
    section = name if name == "default" else f"profile {name}"
    return name if config.has_option(section, "mfa_serial") and config.has_option(section, "role_arn") else ""
