"""Ask the page as its clients do, and print what is wrong, a line each.

Only what Python brings, since it runs on the host.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor

CALM = 200
"""Requests that come at once and are all answered."""
NAME = "status.example.com"
LOGIN = {"Authorization": "Basic " + base64.b64encode(b"operator:let me in").decode()}
TLS = ssl.create_default_context(cafile="/etc/status-page/certificate.pem")


class Named(http.client.HTTPSConnection):
    """A connection to this host under the name in its certificate."""

    def connect(self) -> None:
        """Connect to the loopback address."""
        self.sock = TLS.wrap_socket(socket.create_connection(("127.0.0.1", 443), 10), server_hostname=NAME)


def ask(
    port: int, path: str, headers: dict[str, str] | None = None, method: str = "GET"
) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body of an answer."""
    connection: http.client.HTTPConnection = (
        Named(NAME) if port == 443 else http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    )
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()


def statuses() -> list[str]:
    """Compare the status of answers with what is expected."""
    wrong = []
    for wanted, port, path, headers, method in (
        (200, 80, "/", None, "GET"),
        (200, 80, "/healthz", None, "GET"),
        (404, 80, "/imports", None, "GET"),
        (404, 80, "/metrics", None, "GET"),
        (400, 80, "/../etc/passwd", None, "GET"),
        (405, 80, "/", None, "POST"),
        (200, 8080, "/imports", None, "GET"),
        (200, 8080, "/metrics", None, "GET"),
        # The page of another site that has its name resolve to the end of a tunnel.
        (400, 8080, "/imports", {"Host": "elsewhere.example.com"}, "GET"),
        (401, 443, "/", None, "GET"),
        (401, 443, "/", {"Authorization": "Basic " + base64.b64encode(b"operator:wrong").decode()}, "GET"),
        (200, 443, "/imports", LOGIN, "GET"),
        (400, 443, "/imports", LOGIN | {"Host": "elsewhere.example.com"}, "GET"),
    ):
        found = ask(port, path, headers, method)[0]
        if found != wanted:
            wrong.append(f"{method} {path} on port {port} with {headers}: {found}, not {wanted}")
    return wrong


def headers() -> list[str]:
    """Check the headers of the answers."""
    wrong = []
    for port, more in ((80, None), (8080, None), (443, LOGIN)):
        _, found, _ = ask(port, "/", more)
        if found.get("server") != "nginx":
            wrong.append(f"port {port} says more than it should: {found.get('server')}")
        if "default-src 'none'" not in found.get("content-security-policy", ""):
            wrong.append(f"port {port} has no content security policy: {found}")
    if "max-age" not in ask(443, "/", LOGIN)[1].get("strict-transport-security", ""):
        wrong.append("port 443 has no Strict-Transport-Security")
    return wrong


def old_tls() -> list[str]:
    """Try the version of TLS that has been given up."""
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.minimum_version = ssl.TLSVersion.TLSv1
    # What this library still offers of it.
    old.set_ciphers("ALL:@SECLEVEL=0")
    try:
        with socket.create_connection(("127.0.0.1", 443), 10) as raw, old.wrap_socket(raw) as spoken:
            return [f"port 443 speaks {spoken.version()}"]
    except OSError:
        return []


def slow_clients() -> list[str]:
    """Send headers and never end them: such a connection is closed, and others are answered meanwhile."""
    slow = [socket.create_connection(("127.0.0.1", 80), 10) for _ in range(40)]
    for connection in slow:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: slow\r\nX-Slow: ")
    answered = ask(80, "/")[0]
    wrong = [] if answered == 200 else [f"with slow clients the page answers {answered}"]
    for connection in slow:
        connection.settimeout(60)
        try:
            # An answer, such as 408, or nothing: the end.
            while connection.recv(1000):
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            wrong.append("a slow client keeps its connection")
        connection.close()
    return wrong


def many() -> list[str]:
    """Send many requests at once: none is refused."""
    with ThreadPoolExecutor(20) as pool:
        found = set(pool.map(lambda _: ask(80, "/")[0], range(CALM)))
    return [] if found == {200} else [f"of {CALM} requests some are answered {found}"]


if __name__ == "__main__":
    sys.stdout.write("\n".join([*statuses(), *headers(), *old_tls(), *slow_clients(), *many()]))
