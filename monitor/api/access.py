"""Who may look: everybody on this machine, or whoever knows the token. Pure.

Without a token only requests that name the loopback as their host are answered, so that a page from elsewhere that
had its own name resolve to this machine (DNS rebinding) gets nothing. With one, `Authorization: Bearer` or a cookie is
wanted; the cookie proves the token without holding it. What changes something also wants the form's own token, and
comes from a page of this very host.
"""

import hashlib
import hmac
import secrets
from typing import Final
from urllib.parse import urlsplit

COOKIE: Final = "driftline"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Access:
    """The rules of one server.

    Parameters
    ----------
    token
        What a visitor must know; empty: nothing.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._forms = hmac.digest(self._token or secrets.token_bytes(32), b"driftline form", hashlib.sha256).hex()
        self._cookie = hmac.digest(self._token or secrets.token_bytes(32), b"driftline cookie", hashlib.sha256).hex()

    @property
    def wants_token(self) -> bool:
        """Whether visitors must know one."""
        return bool(self._token)

    @property
    def form_token(self) -> str:
        """What a form sends along, and no other site can know."""
        return self._forms

    @property
    def cookie(self) -> str:
        """The value that shows that its bearer knew the token."""
        return self._cookie

    def knows(self, token: str) -> bool:
        """Whether this is the token. Takes as long whatever is wrong with it."""
        return self.wants_token and hmac.compare_digest(token.encode("utf-8", "replace"), self._token)

    def lets_in(self, *, host: str, authorization: str, cookie: str) -> bool:
        """Whether a request with these headers is answered."""
        if not self.wants_token:
            return _name(host) in _LOOPBACK
        kind, _, token = authorization.partition(" ")
        if kind.lower() == "bearer" and self.knows(token.strip()):
            return True
        return hmac.compare_digest(cookie.encode("utf-8", "replace"), self._cookie.encode())

    def may_change(self, *, host: str, origin: str, fetch_site: str, form_token: str) -> bool:
        """Whether a form was sent by a page of ours.

        Browsers name the origin, and most what it is to this site (`Sec-Fetch-Site`); a program that names neither must
        know the form's token, as all must.
        """
        if origin and urlsplit(origin).netloc != host:
            return False
        if fetch_site and fetch_site != "same-origin":
            return False
        return hmac.compare_digest(form_token.encode("utf-8", "replace"), self._forms.encode())


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
