"""The status page as gunicorn serves it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import free_port, server
from tests.status_page.page_ledger import ENVIRONMENT, Ledger

APP = Path(__file__).resolve().parents[2] / "files/app"


@contextmanager
def served(ledger: Ledger, application: str) -> Iterator[str]:
    """Serve ``public`` or ``private`` as on the app host, with two processes of eight threads, and give its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = ["--worker-class=gthread", "--workers=2", "--threads=8", f"--pythonpath={APP}"]
    command = [sys.executable, "-m", "gunicorn", f"--bind=127.0.0.1:{port}", *options]
    environment = {"STATUS_PAGE_ENVIRONMENT": ENVIRONMENT, "STATUS_PAGE_OPTION_FILE": str(ledger.option_file)}
    log = ledger.folder / f"{application}.log"
    with server([*command, f"status_page.wsgi:{application}"], environment, f"{url}/static/style.css", log):
        yield url
