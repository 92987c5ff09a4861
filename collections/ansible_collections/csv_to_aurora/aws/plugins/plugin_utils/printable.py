# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Text of others on a terminal: keys of objects, reasons and rows may hold what moves the cursor or hides text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ansible.utils.display import Display

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters other than tab and newline, of which an escape sequence begins with one, and those of Unicode that
change the order in which text is shown: https://www.unicode.org/reports/tr9/ (2.1 to 2.6)."""


def printable(text: str) -> str:
    """Return a text of several lines with a question mark for each character that would steer a terminal."""
    return STEERING.sub("?", text.replace("\r\n", "\n"))


def printable_line(text: str) -> str:
    """Return a text as one line: newlines and tabs become question marks, too."""
    return re.sub("[\n\t]", "?", printable(text))


class PrintableDisplay:
    """A display that shows only what is printable, and is otherwise the one that it is given."""

    def __init__(self, display: Display) -> None:
        """Show on ``display``."""
        self._display = display

    def __getattr__(self, name: str) -> Any:
        """Return what is not defined here, such as the verbosity."""
        return getattr(self._display, name)

    def display(self, msg: str, *arguments: Any, **options: Any) -> None:
        """Show a message."""
        self._display.display(printable(msg), *arguments, **options)

    def error(self, msg: str, *arguments: Any, **options: Any) -> None:
        """Show an error."""
        self._display.error(printable(msg), *arguments, **options)

    def warning(self, msg: str, *arguments: Any, **options: Any) -> None:
        """Show a warning."""
        self._display.warning(printable(msg), *arguments, **options)

    def banner(self, msg: str, *arguments: Any, **options: Any) -> None:
        """Show a heading."""
        self._display.banner(printable(msg), *arguments, **options)
