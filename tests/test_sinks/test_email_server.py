"""Mail against a real SMTP server of this machine: TLS, log-in, and what its replies ask for."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from support.alerts import alert_row, alerts
from support.ports import free_port

from sinks.email import Settings
from sinks.errors import MessageFailed, SinkUnavailable
from sinks.secret import Secret


class Mailbox:
    """Keeps mails; answers recipients, and data, as a test says."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.refuse: dict[str, str] = {}
        self.data = "250 OK"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Envelope, address: str, _: Any) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        if self.data.startswith("250"):
            self.mails.append(envelope)
        return self.data


def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> AuthResult:
    return AuthResult(success=data.login == b"driftline" and data.password == b"hunter2", handled=False)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def running(authority: trustme.CA) -> Iterator[Controller]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    controller = Controller(
        Mailbox(), hostname="localhost", port=free_port(), tls_context=tls, require_starttls=True,
        authenticator=authenticate, auth_required=True,
    )  # fmt: skip
    controller.start()
    yield controller
    controller.stop()


@pytest.fixture
def mailbox(running: Controller) -> Mailbox:
    running.handler.__init__()
    made: Mailbox = running.handler
    return made


@pytest.fixture
def settings(running: Controller, authority: trustme.CA, tmp_path: Path) -> dict[str, Any]:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return {
        "host": "localhost", "port": running.port, "sender": "Driftline <d@example.org>",
        "to": ("a@example.org", "b@example.org"), "username": "driftline", "password": Secret("hunter2"),
        "ca_file": tmp_path / "ca.pem", "timeout_ms": 5000,
    }  # fmt: skip


def test_a_mail_arrives_over_tls_for_all_addressees(settings: dict[str, Any], mailbox: Mailbox) -> None:
    assert Settings(**settings).open().write([alerts()]).left == ()
    (mail,) = mailbox.mails
    assert mail.rcpt_tos == ["a@example.org", "b@example.org"]
    assert b"[warning] flights (version 3): distance is up" in (mail.content or b"")


@pytest.mark.parametrize(
    ("data", "error"), [("451 later", MessageFailed), ("421 closing", SinkUnavailable), ("554 never", None)]
)
def test_replies_of_4_pass_and_those_of_5_do_not(
    data: str, error: type[Exception] | None, settings: dict[str, Any], mailbox: Mailbox
) -> None:
    mailbox.data = data
    written = Settings(**settings).open().write([alerts()])
    assert (len(written.left), len(written.dropped)) == ((0, 1) if error is None else (1, 0))
    assert type(written.because) is (type(None) if error is None else error)
    assert "hunter2" not in f"{written.because} {[dropped.reason for dropped in written.dropped]}"


def test_an_addressee_who_is_refused_is_told_and_the_other_gets_one_mail(
    settings: dict[str, Any], mailbox: Mailbox
) -> None:
    mailbox.refuse = {"a@example.org": "550 unknown"}
    written = Settings(**settings).open().write([alerts()])
    assert written.left == ()
    assert "a@example.org" in written.dropped[0].reason
    assert [mail.rcpt_tos for mail in mailbox.mails] == [["b@example.org"]]


@pytest.mark.parametrize(
    "change",
    [{"password": Secret("wrong")}, {"ca_file": None}, {"port": 1}, {"username": "", "password": Secret("")}],
    ids=["wrong password", "unknown authority", "no server", "no log-in"],
)
def test_what_no_mail_is_at_fault_for_keeps_the_mail(
    change: dict[str, Any], settings: dict[str, Any], mailbox: Mailbox
) -> None:
    written = Settings(**{**settings, **change}).open().write([alerts(alert_row(), alert_row(dedupe_key="k2"))])
    assert (len(written.left), written.dropped) == (2, ())
    assert mailbox.mails == []


@pytest.mark.parametrize("address", ["", "a", "a@b, c@d", "a@b\nBcc: c@d", "@b"])
def test_an_address_that_is_none_is_refused_in_the_configuration(address: str) -> None:
    from sinks.email import _ADDRESS

    with pytest.raises(ValueError, match="address"):
        _ADDRESS.read(address)  # type: ignore[arg-type]
