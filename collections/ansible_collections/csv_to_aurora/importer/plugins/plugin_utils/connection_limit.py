# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How many of a server's connections a database user may have: a number, or a share of max_connections."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

NUMBER = re.compile(r"0|[1-9][0-9]{0,4}")
SHARE = re.compile(r"([1-9][0-9]?|100)%")


@dataclass(frozen=True)
class ConnectionLimit:
    """A limit of connections.

    Attributes:
        number: How many, 0 for as many as the server allows; None where a share is meant.
        percent: The share of the server's max_connections, 1 to 100; None where a number is meant.
    """

    number: int | None
    percent: int | None

    @classmethod
    def of(cls, text: Any) -> ConnectionLimit:
        """Read a limit, such as ``60`` or ``67%``.

        Raises:
            ValueError: It is neither.
        """
        found = str(text)
        if NUMBER.fullmatch(found):
            return cls(int(found), None)
        share = SHARE.fullmatch(found)
        if share:
            return cls(None, int(share[1]))
        raise ValueError(f"'{found}' is neither a number of connections, such as 60, nor a share of them, such as 67%")

    def on(self, server: int, least: int = 0) -> int:
        """Return the limit on a server, 0 for none.

        Args:
            server: The server's max_connections.
            least: What a share is at least.
        """
        if self.percent is None:
            return self.number or 0
        return max(server * self.percent // 100, least, 1)
