"""Encrypted connections, and who the caller is: against a server of the test's own."""

import datetime as dt
import ipaddress

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import sidecall
from sidecall import TLS, AsyncSidecall
from sidecall._proto import sidecall_pb2 as pb


def pem_of(key):
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, plain)


class Authority:
    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        self.pem = self.signed(self.name, self.key, is_authority=True)

    def signed(self, name, key, *, is_authority=False):
        now = dt.datetime.now(dt.timezone.utc)
        names = [x509.DNSName("sidecar.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, name):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        return self.signed(subject, key), pem_of(key)


@pytest.fixture
async def serve():
    """A server that answers `Status` with what it knows of the caller."""
    servers = []

    async def start(authority, *, mutual):
        async def status(_, context):
            said = dict(context.invocation_metadata())
            peer = context.auth_context().get("x509_common_name", [b""])[0].decode()
            version = f"{peer} {said.get('authorization', '')}"
            return pb.StatusResponse(process=pb.ProcessStatus(version=version))

        method = grpc.unary_unary_rpc_method_handler(
            status,
            request_deserializer=pb.StatusRequest.FromString,
            response_serializer=pb.StatusResponse.SerializeToString,
        )
        server = grpc.aio.server()
        name = "sidecall.v1.SidecallService"
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(name, {"Status": method})]
        )
        certificate, key = authority.issue("server")
        credentials = grpc.ssl_server_credentials(
            [(key, certificate)], authority.pem if mutual else None, mutual
        )
        port = server.add_secure_port("127.0.0.1:0", credentials)
        await server.start()
        servers.append(server)
        return f"https://127.0.0.1:{port}"

    yield start
    for server in servers:
        await server.stop(None)


async def test_a_certificate_and_a_token_say_who_calls(serve, tmp_path):
    authority = Authority()
    address = await serve(authority, mutual=True)
    certificate, key = authority.issue("agent-7")
    for name, pem in (("ca", authority.pem), ("cert", certificate), ("key", key)):
        (tmp_path / name).write_bytes(pem)
    tokens = iter(["one", "two"])
    tls = TLS(ca=tmp_path / "ca", cert=str(tmp_path / "cert"), key=key)
    async with AsyncSidecall(address, tls=tls, token=lambda: next(tokens)) as client:
        assert (await client.status()).process.version == "agent-7 Bearer one"
        assert (await client.status()).process.version == "agent-7 Bearer two"


async def test_a_server_by_another_name_is_reached_by_its_own(serve):
    authority = Authority()
    address = await serve(authority, mutual=False)
    tls = TLS(ca=authority.pem, server_name="sidecar.example")
    async with AsyncSidecall(address, tls=tls, token="t") as client:
        assert (await client.status()).process.version == " Bearer t"


async def test_a_server_that_nobody_vouches_for_is_not_spoken_to(serve):
    address = await serve(Authority(), mutual=False)
    tls = TLS(ca=Authority().pem)
    async with AsyncSidecall(address, tls=tls, connect_timeout=0.5) as client:
        with pytest.raises(sidecall.Unavailable):
            await client.status()


def test_halves_of_what_belongs_together_are_refused():
    with pytest.raises(ValueError, match="both"):
        TLS(cert=b"x").credentials()
    with pytest.raises(ValueError, match="https://"):
        AsyncSidecall("http://127.0.0.1:1", tls=TLS(ca=b"x"))
