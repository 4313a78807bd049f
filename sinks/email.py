"""E-mail by SMTP: plain text and HTML, one thread an alert.

`Message-ID` is made from the message's id, so that mail programs that look for it show one that was sent again once;
`References` has the alert's key, so that its transitions are one thread.
"""

import html
import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import Meta, field

from sinks.errors import MessageFailed, MessageRefused, SinkRejected, SinkUnavailable, scrub
from sinks.messages.alert import Alert
from sinks.messages.identity import run_id
from sinks.messages.said import Said
from sinks.messages.settings import AlertSettings
from sinks.messages.text import Message, clean, message_of
from sinks.secret import Secret
from sinks.settings import Form, FormError

if TYPE_CHECKING:
    from sinks.messages.destination import MessageDestination

_BLOCKED: Final = frozenset({530, 534, 535, 538})  # it wants TLS, or a log-in (RFC 4954, section 6; RFC 3207)
_DOMAIN: Final = "driftline.invalid"


def _address(text: str) -> str:
    addresses = getaddresses([text])
    address = addresses[0][1] if len(addresses) == 1 else ""
    local, _, host = address.rpartition("@")
    if not local or not host or not text.isprintable() or not address.isascii() or any(c in address for c in " ,;<>"):
        raise FormError("expected one address, such as alerts@example.org or Driftline <alerts@example.org>")
    return text


_ADDRESS = Form(expected="an e-mail address", read=_address)
Address = Annotated[str, Meta(extra={"form": _ADDRESS})]


class Settings(AlertSettings, frozen=True, kw_only=True):
    """The mail server, and who writes to whom."""

    host: str
    port: Annotated[int, Meta(ge=1, le=65_535)] = 587
    sender: Address = field(name="from")
    to: tuple[Address, ...]
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    """starttls (port 587), implicit (port 465), or none, for a server on this machine."""
    username: str = ""
    password: Secret[str] = field(default_factory=lambda: Secret(""))
    ca_file: Path | None = None
    """Certificates to trust instead of the machine's, in PEM."""

    def __post_init__(self) -> None:
        """Check what belongs together."""
        if not self.to:
            raise ValueError("to: at least one address is needed")
        if self.username and self.tls == "none":
            raise ValueError("tls: a password is not sent without TLS")

    def open(self) -> "MessageDestination":
        """The destination."""
        from sinks.messages.destination import alert_destination

        return alert_destination(self, Email(self))

    def where(self) -> str:
        """The server, and the addressees."""
        return f"{', '.join(self.to)} by {self.host}:{self.port}"


class Email:
    """Sends one mail an alert, over a connection of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        try:
            ca_file = None if settings.ca_file is None else str(settings.ca_file)
            self._context = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SinkRejected(f"ca_file {settings.ca_file} cannot be read: {error}") from error

    def send(self, alert: Alert) -> Said:
        """Send it to all addressees. Those whom the server refuses, while it takes others, are told in an error."""
        mail = mail_of(alert, self._settings)
        try:
            with self._connected() as server:
                refused = server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            raise self._of_codes({code for code, _ in error.recipients.values()}, f"{error.recipients}") from error
        except smtplib.SMTPAuthenticationError as error:
            raise SinkUnavailable(self._said("refused the login; mend username and password")) from error
        except smtplib.SMTPResponseException as error:
            raise self._of_codes({error.smtp_code}, f"{error.smtp_code} {error.smtp_error!r}") from error
        except smtplib.SMTPNotSupportedError as error:
            raise SinkUnavailable(self._said(f"{error}; mend tls, username")) from error
        except (smtplib.SMTPException, OSError) as error:
            raise SinkUnavailable(self._said(str(error) or type(error).__name__)) from error
        if refused:
            raise MessageRefused(self._said(f"took the mail, but not for {', '.join(sorted(refused))}: {refused}"))
        return Said(f"{self._settings.host} took it for {', '.join(self._settings.to)}")

    def close(self) -> None:
        """Nothing is kept open."""

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        timeout_s = settings.timeout_ms / 1000
        server: smtplib.SMTP
        if settings.tls == "implicit":
            server = smtplib.SMTP_SSL(settings.host, settings.port, timeout=timeout_s, context=self._context)
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=timeout_s)
        try:
            if settings.tls == "starttls":
                server.starttls(context=self._context)
            if settings.username:
                server.login(settings.username, settings.password.reveal())
        except BaseException:
            server.close()
            raise
        return server

    def _of_codes(self, codes: set[int], said: str) -> SinkUnavailable | MessageRefused:
        """Replies of 4yz pass, those of 5yz do not (RFC 5321, section 4.2.1); 421 is the server as a whole."""
        if 421 in codes:
            return SinkUnavailable(self._said(said))
        if codes & _BLOCKED:
            return SinkUnavailable(self._said(f"{said}; mend tls, username and password"))
        return MessageFailed(self._said(said)) if min(codes) < 500 else MessageRefused(self._said(said))

    def _said(self, text: str) -> str:
        where = f"{self._settings.host}:{self._settings.port}"
        return clean(scrub(f"{where}: {text}", (self._settings.password.reveal(),)), 400)


def mail_of(alert: Alert, settings: Settings) -> EmailMessage:
    """The mail. Headers hold one line each, whatever the names in them."""
    message = message_of(alert, settings.link)
    mail = EmailMessage()
    mail["Subject"] = message.headline
    mail["From"] = settings.sender
    mail["To"] = ", ".join(settings.to)
    mail["Date"] = format_datetime(datetime.fromtimestamp(alert.at_ms / 1000, UTC))
    mail["Message-ID"] = f"<{run_id(alert.id, prefix='alert-')}@{_DOMAIN}>"
    mail["References"] = f"<{run_id(alert.dedupe_key, prefix='thread-')}@{_DOMAIN}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.plain())
    mail.add_alternative(html_of(message), subtype="html")
    return mail


def html_of(message: Message) -> str:
    """The same as a small page; all text is escaped."""
    escape = html.escape
    rows = "".join(
        f"<tr><th align=left valign=top>{escape(name)}</th><td>{escape(text).replace(chr(10), '<br>')}</td></tr>"
        for name, text in message.facts()
    )
    link = f'<p><a href="{escape(message.link)}">Look at it</a></p>' if message.link else ""
    return (
        f"<!doctype html><html><body><p><b>{escape(message.summary)}</b></p><table>{rows}</table>{link}</body></html>"
    )
