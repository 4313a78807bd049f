"""What can go wrong in `sinks`, and what the caller should do.

```text
SinkError
├── SinkUnavailable   out of reach, overloaded, too slow: keep the rows, wait `retry_after_s`, write them again
│   └── MessageFailed  it answered one message with an error of its own: as above, but others may pass meanwhile
├── MessageRefused    it will never take this one message: drop it, count it, say why
├── SinkRejected      it answered, and will answer so again (login, missing table): stop, a person is needed
├── BadRecord         bytes or a row that no sink can take: drop it, count it
├── NewerRecord       a later release wrote it: stop, leave it unread, upgrade this worker
└── BadDestination    no destination of that type, or its plug-in is broken: mend the configuration or the installation
```

No message holds a password: those that come from a driver pass through `scrub` first.
"""

import re
from collections.abc import Iterable
from typing import Final

DEFAULT_RETRY_AFTER_S: Final = 1.0
_MASK: Final = "***"
_IN_ADDRESS: Final = re.compile(r"(?P<scheme>\w+://[^\s:/@]*):[^\s/]*@")


class SinkError(Exception):
    """The root: catch this to catch everything the package raises on purpose."""


class SinkUnavailable(SinkError):  # noqa: N818  # the name says what happened; the root says that it is an error
    """The destination cannot take rows now. Nothing is wrong with the rows; writing them twice does no harm.

    Attributes
    ----------
    retry_after_s
        Seconds to wait before the next try, at least 0. The caller bounds the tries in time.
    status
        Of HTTP; 0 where there was no answer.
    """

    def __init__(self, message: str, *, retry_after_s: float = DEFAULT_RETRY_AFTER_S, status: int = 0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.status = status


class MessageFailed(SinkUnavailable):
    """One message met an error of the other side's own (500), which may pass. Other messages need not wait for it."""


class MessageRefused(SinkError):  # noqa: N818  # as above
    """The destination will never take this message; others are not concerned. The message says what it answered.

    Attributes
    ----------
    status
        Of HTTP; 0 where it was another protocol.
    """

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class SinkRejected(SinkError):  # noqa: N818  # as above
    """The destination refuses, and trying again will not change that. The message says what a person can do."""


class BadRecord(SinkError):  # noqa: N818  # as above
    """These bytes are no record, or a value in a row lies outside what the contract allows."""


class BadDestination(SinkError):  # noqa: N818  # as above
    """There is no destination of this type, or what was installed for it is broken or there twice; the message says."""


class NewerRecord(SinkError):  # noqa: N818  # as above
    """A message of ours in a schema version that this release does not know. It is not corrupt: leave it unread.

    Attributes
    ----------
    version
        The message's.
    """

    def __init__(self, message: str, *, version: int) -> None:
        super().__init__(message)
        self.version = version


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without the given secrets, and without the password of any address in it."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, _MASK)
    return _IN_ADDRESS.sub(rf"\g<scheme>:{_MASK}@", text)
