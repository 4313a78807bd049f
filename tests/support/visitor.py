"""A visitor of the page that is a program."""

import html
import http.client
import re
import urllib.error
import urllib.request


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def get(url: str, data: bytes | None = None, **headers: str) -> tuple[int, str, http.client.HTTPMessage]:
    request = urllib.request.Request(url, data=data, headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=30) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


def assert_only_text(text: str) -> None:
    """Nothing hostile in it is markup, turns text round, or goes on for ever."""
    assert "<img src=x" not in text
    assert 'onerror="' not in text
    assert "{{" not in text.replace("{{7*7}}", "")
    shown = html.unescape(re.sub(r"<[^>]*>", "", text))
    assert "\u202e" not in shown
    assert "ü" * 1000 not in shown
