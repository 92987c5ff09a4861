# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filters: whether the proxy of the shell would take what is meant for this machine."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

DOCUMENTATION = r"""
name: proxy_refusal
short_description: Why the shell's proxy settings keep calls from this machine
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - The AWS SDK, Python and Ansible all read C(HTTP_PROXY), C(HTTPS_PROXY) and C(NO_PROXY), in upper or lower case.
options:
  _input:
    description: A URL.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Check the proxy settings
  ansible.builtin.assert:
    that: "'http://127.0.0.1:4566' | csv_to_aurora.aws.proxy_refusal == ''"
"""

RETURN = r"""
_value:
  description: The reason with its fix; empty where the URL is not on this machine, or reached without a proxy.
  type: str
"""


def proxy_refusal(url: str) -> str:
    """Return why a URL of this machine would not be reached, and how to fix it; empty where it would."""
    endpoint = urlsplit(url)
    if endpoint.hostname not in ("127.0.0.1", "localhost"):
        return ""
    if endpoint.scheme not in getproxies_environment() or proxy_bypass_environment(endpoint.hostname):
        return ""
    return (
        f"{endpoint.scheme.upper()}_PROXY of your shell would send what is meant for {endpoint.hostname}, this "
        f'machine, to the proxy. Except it: export NO_PROXY="$NO_PROXY,{endpoint.hostname}"'
    )


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"proxy_refusal": proxy_refusal}
