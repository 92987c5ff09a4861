"""The server of the benchmark: in a container as for the tests, or a mysqld of this machine."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql

from tests.importer.mysql_server import SHARED, MySqlServer

OPTIONS = ("--innodb-buffer-pool-size=1G", "--innodb-redo-log-capacity=2G")
START_SECONDS = 120


@contextmanager
def running(program: Path | None, folder: Path) -> Iterator[tuple[MySqlServer, str]]:
    """Run a server.

    Args:
        program: The mysqld; None for one in a container.
        folder: A folder whose files it may load.

    Yields:
        The server, and the folder's path as the server has it.
    """
    if program is None:
        with MySqlServer(shared=folder, durable=True, options=OPTIONS) as server:
            yield server, SHARED
    else:
        with _program(program, folder) as server:
            yield server, str(folder)


@contextmanager
def _program(program: Path, folder: Path) -> Iterator[MySqlServer]:
    """Run a mysqld of this machine, with the settings of the one in a container.

    Raises:
        SystemExit: It does not start.
    """
    # Not entered: that would start a container. It has the port, the certificates and the connections.
    server = MySqlServer(durable=True)
    data, log = folder / "data", folder / "mysqld.log"
    users = folder / "users.sql"
    users.touch(mode=0o600)
    users.write_text(
        f"CREATE USER root@'%' IDENTIFIED BY '{server.password}';\nGRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;\n",
        encoding="ascii",
    )
    command = [str(program), "--no-defaults", f"--datadir={data}", *(["--user=root"] if os.geteuid() == 0 else [])]
    with log.open("wb") as output:
        subprocess.run([*command, "--initialize-insecure"], check=True, stdout=output, stderr=output)
        process = subprocess.Popen(
            [
                *command,
                f"--init-file={users}",
                f"--port={server.port}",
                f"--bind-address={server.host}",
                f"--socket={data}/mysqld.sock",
                "--mysqlx=OFF",
                f"--ssl-ca={server.ca_file}",
                f"--ssl-cert={server.folder}/certificate.pem",
                f"--ssl-key={server.folder}/key.pem",
                "--require-secure-transport=ON",
                "--local-infile=ON",
                "--skip-name-resolve",
                "--skip-log-bin",
                "--innodb-flush-log-at-trx-commit=1",
                f"--secure-file-priv={folder}",
                *OPTIONS,
            ],
            stdout=output,
            stderr=output,
        )
    try:
        until = time.monotonic() + START_SECONDS
        while not _answers(server):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"bench: {program} does not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.2)
        yield server
    finally:
        process.terminate()
        process.wait()
        server.__exit__(None, None, None)


def _answers(server: MySqlServer) -> bool:
    try:
        server.connect().close()
    except pymysql.MySQLError:
        return False
    return True
