# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a task manages that is no resource of the action C(resource): its kind and its name, by the task's module.

They come from the module's arguments, which ansible-core hands to callbacks with their templates filled in, never from
the task's name. Only the arguments that are named here are read, so that no secret gets in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from posixpath import basename, normpath
from typing import TYPE_CHECKING, Any

from .task_results import arguments_of, is_hidden, module_of

if TYPE_CHECKING:
    from ansible.executor.task_result import CallbackTaskResult

type Values = Mapping[str, Any]


@dataclass(frozen=True)
class Subject:
    """What a task manages.

    Attributes:
        action: What it did where the task says so itself; None where the result has to tell.
        on_host: Whether that is part of the host that the task runs on, unlike a user of a database.
        is_known: Whether the module or the task says what it manages; if not, only a change is worth a mention.
    """

    kind: str
    name: str
    action: str | None = None
    on_host: bool = True
    is_known: bool = False


@dataclass(frozen=True)
class Manages:
    """What the tasks of a module manage.

    Attributes:
        kind: Its kind, or how the arguments and the result tell it; of a list of names, of each of them.
        names: The arguments that may have its name, the first one that is given; paths if it is a file.
        action: What a change means where neither the result nor C(state) tells.
        in_diff_mode: Whether the module tells only in diff mode whether it creates or updates.
        within: The argument that has the name of what it is in.
    """

    kind: str | Callable[[Values, Values], str]
    names: tuple[str, ...] = ("name",)
    action: str = "update"
    on_host: bool = True
    is_path: bool = False
    in_diff_mode: bool = False
    within: str | None = None


def file_kind(arguments: Values, result: Values) -> str:
    """Return the kind of what M(ansible.builtin.file) manages."""
    diff = result.get("diff")
    before = diff.get("before") if isinstance(diff, Mapping) else None
    was = before.get("state") if isinstance(before, Mapping) else None
    state = arguments.get("state") or result.get("state")
    state = was if state in ("absent", None) else state
    return {"directory": "directory", "link": "symbolic link", "hard": "hard link"}.get(str(state), "file")


PACKAGE_NAMES = ("name", "pkg", "package", "deb")
# Kind and identifier only: what follows may hold values.
SQL_SUBJECT = re.compile(
    r"""\s*(?:
        (?P<verb>CREATE|ALTER|DROP)\s+(?:OR\s+REPLACE\s+)?(?P<kind>TABLE|DATABASE|SCHEMA|USER|VIEW)\s+
        (?:IF\s+(?:NOT\s+)?EXISTS\s+)?
        | DELETE\s+FROM\s+ | INSERT\s+(?:IGNORE\s+)?INTO\s+ | REPLACE\s+INTO\s+ | TRUNCATE\s+(?:TABLE\s+)? | UPDATE\s+
    )(?P<name>[`'"]?[\w.$]+[`'"]?)?""",
    re.IGNORECASE | re.VERBOSE,
)
SQL_ACTIONS = {"CREATE": "create", "DROP": "delete"}
SQL_KINDS = {"DATABASE": "database", "SCHEMA": "database", "USER": "database user", "VIEW": "view"}

_FILE = Manages("file", ("dest", "path"), is_path=True, in_diff_mode=True)
_PACKAGE = Manages("package", PACKAGE_NAMES, action="create")
_SERVICE = Manages("service")
_DATABASE_USER = Manages("database user", ("name", "user"), on_host=False)
_DATABASE = Manages("database", ("name", "db"), action="create", on_host=False)

MANAGES: dict[str, Manages] = {
    "ansible.builtin.apt": _PACKAGE,
    "ansible.builtin.blockinfile": _FILE,
    "ansible.builtin.copy": _FILE,
    "ansible.builtin.dnf": _PACKAGE,
    "ansible.builtin.fetch": Manages("file", ("dest",), is_path=True),
    "ansible.builtin.file": Manages(file_kind, ("path", "dest", "name"), is_path=True, in_diff_mode=True),
    "ansible.builtin.get_url": Manages("file", ("dest",), is_path=True),
    "ansible.builtin.group": Manages("group"),
    "ansible.builtin.lineinfile": _FILE,
    "ansible.builtin.package": _PACKAGE,
    "ansible.builtin.pip": _PACKAGE,
    "ansible.builtin.replace": _FILE,
    "ansible.builtin.service": _SERVICE,
    "ansible.builtin.systemd": _SERVICE,
    "ansible.builtin.systemd_service": _SERVICE,
    "ansible.builtin.template": _FILE,
    "ansible.builtin.unarchive": Manages("directory", ("dest",), is_path=True),
    "ansible.builtin.user": Manages("user"),
    "ansible.mysql.mysql_db": _DATABASE,
    "ansible.mysql.mysql_user": _DATABASE_USER,
    "community.mysql.mysql_db": _DATABASE,
    "community.mysql.mysql_user": _DATABASE_USER,
    "community.crypto.openssh_keypair": Manages("SSH key", ("path",), action="create", is_path=True),
    "community.crypto.openssl_privatekey": Manages("private key", ("path",), action="create", is_path=True),
    "community.crypto.x509_certificate": Manages("certificate", ("path",), is_path=True),
    "community.docker.docker_container": Manages("container"),
    "community.docker.docker_image": Manages("container image", action="create"),
    "community.docker.docker_image_pull": Manages("container image", action="create"),
    "community.docker.docker_image_remove": Manages("container image", action="delete"),
    "community.docker.docker_volume": Manages("volume", action="create"),
    # Calls of AWS that no state belongs to, hence no resource of the action resource.
    "amazon.aws.iam_access_key": Manages("IAM access key", ("user_name",), action="create", on_host=False),
    "amazon.aws.iam_managed_policy": Manages("IAM policy", on_host=False),
    "amazon.aws.iam_user": Manages("IAM user", on_host=False),
    "amazon.aws.rds_cluster": Manages("DB cluster", ("db_cluster_identifier", "cluster_id"), on_host=False),
    "amazon.aws.s3_object": Manages("object", ("object",), action="create", on_host=False, within="bucket"),
    "csv_to_aurora.aws.s3_bucket_purge": Manages("objects of bucket", action="delete", on_host=False),
    "csv_to_aurora.aws.secretsmanager_rotation": Manages("secret", on_host=False),
    "csv_to_aurora.aws.sqs_message": Manages("message of SQS queue", on_host=False),
}
"""What each module manages. A module that is not here goes by its own name, and by the argument C(name) or a path."""

COMMANDS = frozenset(f"ansible.builtin.{name}" for name in ("command", "expect", "raw", "script", "shell"))
QUERIES = frozenset(("ansible.mysql.mysql_query", "community.mysql.mysql_query"))
_UNKNOWN_NAMES = ("name", "path", "dest", "id")


def text_of(value: Any) -> str:
    """Return an argument's value as a name; empty where it is none, or a template that was never filled in."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(text_of, value)))
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return "" if "{{" in text or "{%" in text else " ".join(text.split())


def name_in(arguments: Values, names: tuple[str, ...], *, is_path: bool = False) -> str:
    """Return the first argument that is given, a path in its shortest form."""
    name = next((text for key in names if (text := text_of(arguments.get(key)))), "")
    return normpath(name) if name and is_path else name


def command(arguments: Values, *, hidden: bool) -> Subject:
    """Return what a command manages: the file that it creates or removes, or else the program that it runs."""
    for key, action in (("creates", "create"), ("removes", "delete")):
        if path := name_in(arguments, (key,), is_path=True):
            return Subject("file", path, action)
    words = arguments.get("argv") or str(arguments.get("cmd") or arguments.get("_raw_params") or "").split()
    program = basename(str(words[0])) if words else ""
    # Not what looks like a setting in front of the program.
    return Subject("command", program if re.fullmatch(r"[\w.+-]+", program) and not hidden else "")


def statement(arguments: Values) -> Subject:
    """Return what an SQL statement is about, without any of its values."""
    query = arguments.get("query") or ""
    found = SQL_SUBJECT.match(str(query[0] if isinstance(query, list) and query else query))
    if found is None:
        return Subject("SQL statement", "", on_host=False)
    kind = SQL_KINDS.get((found["kind"] or "").upper(), "table")
    action = SQL_ACTIONS.get((found["verb"] or "").upper())
    return Subject(kind, (found["name"] or "").strip("`'\""), action, on_host=False)


def subject_of(result: CallbackTaskResult) -> Subject:
    """Return what a task manages, by its module."""
    module, arguments = module_of(result.task), arguments_of(result)
    hidden = is_hidden(result)
    if module in COMMANDS:
        return command(arguments, hidden=hidden)
    if module in QUERIES:
        return statement(arguments)
    manages = MANAGES.get(module)
    if manages is None:
        kind = module.rpartition(".")[2].replace("_", " ")
        return Subject(kind, "" if hidden else name_in(arguments, _UNKNOWN_NAMES))
    kind = manages.kind if isinstance(manages.kind, str) else manages.kind(arguments, {} if hidden else result.result)
    name = name_in(arguments, manages.names, is_path=manages.is_path)
    if manages is _PACKAGE and not name:
        return Subject("package index", "", "update")
    if manages.within and (place := text_of(arguments.get(manages.within))):
        name = f"{place}/{name}"
    return Subject(kind, name, on_host=manages.on_host, is_known=True)


def action_unless_told(module: str) -> str:
    """Return what a change by a module means where its result does not tell."""
    return MANAGES[module].action if module in MANAGES else "update"


def tells_in_diff_mode(module: str) -> bool:
    """Return whether a module tells only in diff mode whether it creates or updates."""
    return module in MANAGES and MANAGES[module].in_diff_mode
