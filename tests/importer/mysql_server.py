"""A real MySQL server for a test session, in a container, with TLS from a CA of its own."""

import datetime as dt
import ipaddress
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pymysql
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pymysql.cursors import Cursor

IMAGE_VARIABLE = "IMPORTER_TEST_IMAGE"
# The local cloud of molecule/shared/files/host_images.sh, which is not a developer's.
BUILDER_PORT = 4866
IMAGES = (
    "localhost/local-cloud/mysql:8.0",
    f"localhost/local-cloud-{BUILDER_PORT}/mysql:8.0",
    "localhost/mysql:8.0",
    "mysql:8.0",
)
FIX = (
    "The importer's tests need a MySQL server in a container. 'make local' builds the image"
    f" {IMAGES[0]} and installs what runs it. {IMAGE_VARIABLE} names another image that takes MYSQL_ROOT_PASSWORD."
)
ROOT = Path(__file__).parents[2]
START_SECONDS = 300
SHARED = "/srv/shared"


class NoServerError(Exception):
    """There is no server; the message says why and how to fix it."""


@dataclass(frozen=True)
class CertificateAuthority:
    """A certificate authority (CA) for the duration of the tests."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, name: str) -> Self:
        """Create a CA."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(name, name, key, days=1)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    def write(self, path: Path) -> Path:
        """Write the CA certificate as PEM."""
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def issue(self, folder: Path, *, address: str = "127.0.0.1", days: int = 1) -> None:
        """Write a server's certificate.pem and key.pem.

        Args:
            folder: Where to.
            address: The address that the certificate is for.
            days: How long it is valid; negative for one that has expired.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self.certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
        certificate = (
            _builder("mysql", str(issuer), key, days=days)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
        (folder / "key.pem").write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        # The server's user inside the container is no user of this machine.
        (folder / "key.pem").chmod(0o644)


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=2))
        .not_valid_after(now + dt.timedelta(days=days))
    )


class MySqlServer:
    """A server on a free port of the loopback interface; a context manager that removes it again."""

    host = "127.0.0.1"
    user = "root"

    def __init__(self, *, options: tuple[str, ...] = (), shared: Path | None = None, durable: bool = False) -> None:
        """Prepare a server.

        Args:
            options: Further options of mysqld.
            shared: A folder whose files the server may load, as SHARED.
            durable: Whether each commit waits for the disk, as on Aurora; the tests are about a
                killed server, never about a power failure.
        """
        self.port = _free_port()
        self.password = secrets.token_urlsafe(16)
        self.ca = CertificateAuthority.create("CA of the importer's tests")
        self.folder = Path(tempfile.mkdtemp(prefix="importer-mysql-"))
        self.folder.chmod(0o755)
        self.ca_file = self.ca.write(self.folder / "ca.pem")
        self.ca.issue(self.folder)
        self.name = f"importer-test-{os.getpid()}-{self.port}"
        self._options = (*options, f"--innodb-flush-log-at-trx-commit={1 if durable else 2}")
        self._volumes = [f"--volume={self.folder}:/etc/importer-test:ro"]
        if shared:
            self._volumes.append(f"--volume={shared}:{SHARED}:ro")
            self._options += (f"--secure-file-priv={SHARED}",)
        self._engine: list[str] = []

    def __enter__(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            NoServerError: There is no engine or image, or the server does not start.
        """
        try:
            self._engine, image = _engine_and_image()
            self._run(
                "run",
                "--detach",
                "--name",
                self.name,
                # An engine's defaults are refused where it may not raise limits.
                "--ulimit=nofile=1024:1024",
                "--ulimit=nproc=4096:4096",
                f"--publish=127.0.0.1:{self.port}:3306",
                *self._volumes,
                # A disk that is soon full.
                "--tmpfs=/small-disk:rw,size=6m,mode=1777",
                f"--env=MYSQL_ROOT_PASSWORD={self.password}",
                image,
                "mysqld",
                "--ssl-ca=/etc/importer-test/ca.pem",
                "--ssl-cert=/etc/importer-test/certificate.pem",
                "--ssl-key=/etc/importer-test/key.pem",
                "--require-secure-transport=ON",
                "--local-infile=ON",
                "--skip-name-resolve",
                "--skip-log-bin",
                "--innodb-directories=/small-disk",
                *self._options,
            )
            self.wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the container and its files."""
        if self._engine:
            subprocess.run([*self._engine, "rm", "--force", "--volumes", self.name], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait(self) -> None:
        """Wait until the server answers.

        Raises:
            NoServerError: It has not within START_SECONDS.
        """
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self.connect().close()
            except pymysql.MySQLError as error:
                if time.monotonic() > until:
                    logs = subprocess.run([*self._engine, "logs", self.name], check=False, capture_output=True)
                    tail = logs.stderr.decode(errors="replace")[-2000:]
                    raise NoServerError(
                        f"{FIX}\nThe server does not answer ({error}); its log ends:\n{tail}"
                    ) from error
                time.sleep(0.2)
            else:
                return

    def connect(self, database: str | None = None, **options: Any) -> "pymysql.Connection[Cursor]":
        """Connect as the administrator, with full verification."""
        settings: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "database": database,
            "autocommit": True,
            "charset": "utf8mb4",
            "ssl_ca": str(self.ca_file),
            "ssl_verify_cert": True,
            "ssl_verify_identity": True,
            "connect_timeout": 10,
        }
        return pymysql.connect(**settings | options)

    def restart(self) -> None:
        """Kill the server as a crash would, and start it again."""
        self._run("kill", self.name)
        self.start()
        self.wait()

    def start(self) -> None:
        """Start it again."""
        self._run("start", self.name)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([*self._engine, *arguments], check=False, capture_output=True, text=True)
        if done.returncode:
            raise NoServerError(f"{FIX}\n{' '.join(self._engine)} {arguments[0]}: {done.stderr.strip()}")
        return done.stdout


def _build_image() -> None:
    """Have the local cloud build its images, once for all tests that run at the same time."""
    done = subprocess.run(
        [ROOT / "molecule" / "shared" / "files" / "host_images.sh", ROOT],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise NoServerError(f"{FIX}\nIt could not be built:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")


def _engine_and_image() -> tuple[list[str], str]:
    """Find an engine that has an image, after building one if need be."""
    try:
        return _find_image()
    except NoServerError:
        if os.environ.get(IMAGE_VARIABLE):
            raise
        _build_image()
        return _find_image()


def _find_image() -> tuple[list[str], str]:
    """Find an engine that has an image."""
    # runc works also where cgroups are hybrid, which crun refuses.
    runtime = ["--runtime", "runc"] if shutil.which("runc") else []
    images = [os.environ[IMAGE_VARIABLE]] if os.environ.get(IMAGE_VARIABLE) else IMAGES
    for engine in (["podman", *runtime], ["docker"]):
        for image in images if shutil.which(engine[0]) else ():
            found = subprocess.run([*engine, "image", "inspect", image], check=False, capture_output=True)
            if found.returncode == 0:
                return engine, image
    raise NoServerError(f"{FIX}\nNeither podman nor docker has {' or '.join(images)}.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
