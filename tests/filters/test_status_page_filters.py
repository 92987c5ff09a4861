"""What the host has of the status page, and the application as the host gets it."""

from __future__ import annotations

import base64
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Load = Callable[[str], ModuleType]

GATHERED = """\
installed nginx
not-installed gunicorn
file 0644 root:root 11aa  /opt/status-page/status_page/a name.py
file 0640 root:status-page 22bb  /etc/status-page/my.cnf
directory 0755 root:root /etc/status-page
link /etc/nginx/sites-enabled/default
user status-page:x:995:995::/nonexistent:/usr/sbin/nologin
systemd
unit status-page@public.service enabled active 1000 1000
unit status-page@private.service disabled failed 1000 1001
unit status-page-token.socket not-found inactive 0 0
"""


def test_what_the_host_has(load_filters: Load) -> None:
    found = load_filters("status_page").found(GATHERED.splitlines())
    assert found == {
        "installed": ["nginx"],
        "files": {
            "/opt/status-page/status_page/a name.py": "0644 root:root 11aa",
            "/etc/status-page/my.cnf": "0640 root:status-page 22bb",
        },
        "directories": {"/etc/status-page": "0755 root:root"},
        "links": ["/etc/nginx/sites-enabled/default"],
        "users": {"status-page": {"home": "/nonexistent", "shell": "/usr/sbin/nologin"}},
        "systemd": True,
        "units": {
            "status-page@public.service": {"enabled": True, "active": True, "fresh": True},
            # Started before one of its files was changed: a run was killed before it restarted it.
            "status-page@private.service": {"enabled": False, "active": False, "fresh": False},
        },
    }


def test_a_host_with_nothing(load_filters: Load) -> None:
    found = load_filters("status_page").found([])
    assert not any(found.values())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a folder with an application, and with what Python and editors leave in one."""
    package = tmp_path / "status_page"
    for name in ("wsgi.py", "static/style.css", "__pycache__/wsgi.pyc", ".wsgi.py.swp"):
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "README.md").write_text("not for the host")
    return tmp_path


def test_the_application_arrives_as_it_is_compared(load_filters: Load, source: Path) -> None:
    filters = load_filters("status_page")
    wanted = filters.code(str(source), "/opt/status-page")
    content = base64.b64decode(filters.archive(str(source)))
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = tar.getmembers()
    assert [f"/opt/status-page/{member.name}" for member in members] == list(wanted)
    assert list(wanted) == [
        "/opt/status-page/status_page/static/style.css",
        "/opt/status-page/status_page/wsgi.py",
    ]
    assert {member.mode for member in members} == {0o644}
    assert all(state.startswith("0644 root:root ") for state in wanted.values())


def test_the_same_files_are_the_same_archive(load_filters: Load, source: Path) -> None:
    filters = load_filters("status_page")
    before = filters.archive(str(source))
    (source / "status_page" / "wsgi.py").touch()
    assert filters.archive(str(source)) == before
    (source / "status_page" / "wsgi.py").write_text("another")
    assert filters.archive(str(source)) != before


def test_a_folder_without_an_application_is_named(load_filters: Load, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="status_page_source"):
        load_filters("status_page").code(str(tmp_path), "/opt/status-page")
