"""A certificate for a server on loopback, and a proxy that leads to it."""

import datetime as dt
import ipaddress
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["HOST", "Proxy", "certify", "proxying"]

#: A name that nobody can look up, so that only a proxy leads there.
HOST: Final = "id.invalid"


def certify(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Make a server's context, and the file that its clients must trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(HOST), loopback]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public


@dataclass
class Proxy:
    """What a proxy was asked, line by line of each request."""

    url: str
    requests: list[list[bytes]] = field(default_factory=list)


@contextmanager
def proxying(port: int) -> Iterator[Proxy]:
    """Run a proxy whose tunnels all lead to one port of this machine."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked = list(iter(self.rfile.readline, b"\r\n"))
            proxy.requests.append(asked)
            with socket.create_connection(("127.0.0.1", port)) as server:
                self.connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                _relay(self.connection, server)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as listening:
        proxy = Proxy(f"http://127.0.0.1:{listening.server_address[1]}")
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield proxy
        finally:
            listening.shutdown()
            thread.join()


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Hand over what comes, until one side has no more to say."""
    to = {one: other, other: one}
    while True:
        for ready in select.select([one, other], [], [], 30)[0]:
            piece = ready.recv(16 * 1024)
            if not piece:
                return
            to[ready].sendall(piece)
