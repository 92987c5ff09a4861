"""Settings: environment variables, and the option file of the MySQL client."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from configparser import Error as FormatError
from dataclasses import dataclass, field
from pathlib import Path

from pymysql.optionfile import Parser

PREFIX = "STATUS_PAGE_"
"""What the names of all environment variables begin with."""

LOGINS = ("password", "iam")
"""How to log in: with the password of the option file, or with an IAM authentication token."""

TRUSTED_HOSTS = ("localhost", "127.0.0.1")
"""Names under which the private page is asked for through a tunnel."""


class ConfigurationError(Exception):
    """The page is not configured; the message says what is wrong and how to fix it."""


@dataclass(frozen=True)
class Login:
    """How to reach the database.

    Attributes:
        host: The reader endpoint.
        port: Its port.
        user: The application's user.
        database: The database with the ledger.
        ca_file: The CA certificates that the server's certificate is verified with, PEM.
        password: Empty where tokens are used.
    """

    host: str
    port: int
    user: str
    database: str
    ca_file: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """What the environment variables say.

    Attributes:
        environment: The environment's name, which is that of its folder in inventories.
        option_file: The option file of the MySQL client.
        host: The endpoint to use in place of that of the option file, if there is one.
        token_program: The program that prints an IAM authentication token, or None to log in with a password.
        trusted_hosts: Names under which the private page answers.
    """

    environment: str
    option_file: Path
    host: str | None = None
    token_program: str | None = None
    trusted_hosts: tuple[str, ...] = TRUSTED_HOSTS

    def login(self) -> Login:
        """Read the option file, which each connection does: the password may have been rotated.

        Raises:
            ConfigurationError: It cannot be read, or lacks an option.
        """
        parser = Parser(strict=False)
        try:
            with self.option_file.open(encoding="utf-8") as file:
                parser.read_file(file)
        except (OSError, UnicodeDecodeError, FormatError) as error:
            # Not the error's text: of a line that cannot be parsed, it shows the content.
            raise ConfigurationError(
                f"the option file {self.option_file} cannot be read ({type(error).__name__})"
            ) from None

        def option(group: str, name: str, default: str | None = None) -> str:
            value: str | None = parser.get(group, name) if parser.has_option(group, name) else default
            if value is None or (not value and default is None):
                raise ConfigurationError(f"the option file {self.option_file} lacks {name} in [{group}]")
            return value

        port = option("client", "port", "3306")
        if not port.isdecimal():
            raise ConfigurationError(f"the option file {self.option_file} has no number as port in [client]")
        return Login(
            host=self.host or option("client", "host"),
            port=int(port),
            user=option("client", "user"),
            # Not in [client], where mysqldump would refuse it.
            database=option("mysql", "database"),
            # Without it the server's certificate would not be verified.
            ca_file=option("client", "ssl-ca"),
            password="" if self.token_program else option("client", "password"),
        )


def settings_from(variables: Mapping[str, str]) -> Settings:
    """Return the settings.

    Args:
        variables: The environment variables.

    Raises:
        ConfigurationError: One is missing, or its value is not possible.
    """

    def required(name: str) -> str:
        value = variables.get(PREFIX + name, "")
        if not value:
            raise ConfigurationError(f"{PREFIX}{name} is not set")
        return value

    environment = required("ENVIRONMENT")
    # It is shown in commands, which people paste into a shell.
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", environment):
        raise ConfigurationError(f"{PREFIX}ENVIRONMENT is {environment!r}, which is no name of an environment")
    login = variables.get(PREFIX + "LOGIN") or LOGINS[0]
    if login not in LOGINS:
        raise ConfigurationError(f"{PREFIX}LOGIN is {login!r}; it is one of {' and '.join(LOGINS)}")
    program = required("TOKEN_PROGRAM") if login == "iam" else None
    if program and not shutil.which(program):
        raise ConfigurationError(f"{PREFIX}TOKEN_PROGRAM is {program!r}, which is no program")
    hosts = tuple(name for each in variables.get(PREFIX + "TRUSTED_HOSTS", "").split(",") if (name := each.strip()))
    return Settings(
        environment=environment,
        option_file=Path(required("OPTION_FILE")),
        host=variables.get(PREFIX + "HOST") or None,
        token_program=program,
        trusted_hosts=(*TRUSTED_HOSTS, *hosts),
    )
