"""The server of the page and the API: addresses, what guards them, and how errors are told."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl

import jinja2
import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.api import openapi
from monitor.api.access import COOKIE
from monitor.api.address import NoSuchPlaceError
from monitor.api.alerts_page import CHANGES, alerts_page, refused
from monitor.api.endpoints import PREFIX, Endpoint, NotFoundError, endpoints
from monitor.api.pages import PAGES
from monitor.api.queries.pulse import pulse
from monitor.api.rendering import environment
from monitor.api.site import Site
from monitor.errors import DriftlineError, Unavailable

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),  # with no-referrer, forms would be sent with `Origin: null`
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_OPEN: Final = ("/login", "/static/page.css", "/static/icon.svg")
"""What is answered before one has logged in."""
_FORM_BYTES: Final = 10_000


class Guard:
    """Lets in whom `monitor.api.access` does, and puts the headers on every answer that tell browsers to be strict."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message["headers"])
                if not scope["path"].startswith("/static/"):
                    headers.append((b"cache-control", b"no-store"))
                message = {**message, "headers": [*headers, *_HEADERS]}
            await send(message)

        request = Request(scope)
        let_in = self._site.access.lets_in(
            host=request.headers.get("host", ""),
            authorization=request.headers.get("authorization", ""),
            cookie=request.cookies.get(COOKIE, ""),
        )
        refused = None if let_in else self._refusal(request)
        await (refused or self._app)(scope, receive, strict)

    def _refusal(self, request: Request) -> Response | None:
        path = request.url.path
        if not self._site.access.wants_token:
            return _problem(request, 403, "asked by a name that is not this machine's", "use http://127.0.0.1")
        if path in _OPEN:
            return None
        if path.startswith(PREFIX) or request.method != "GET" or request.headers.get("hx-request"):
            answer = _problem(request, 401, "the token is missing or wrong", "send Authorization: Bearer TOKEN")
            answer.headers["www-authenticate"] = "Bearer"
            return answer
        return RedirectResponse("/login", status_code=303)


def make_app(site: Site) -> Starlette:
    """The application."""
    static = Path(str(resources.files("monitor.api") / "static"))
    templates = environment(site)
    api = [
        Route(PREFIX + one.path, _endpoint(site, one), methods=["GET"], name=one.path) for one in endpoints().values()
    ]

    async def described(_: Request) -> Response:
        return _json(openapi.document())

    return Starlette(
        routes=[
            *(Route(path, _page(site, templates, path), methods=["GET"]) for path in PAGES),
            *(Route(path, _change(site, templates, path), methods=["POST"]) for path in CHANGES),
            Route("/login", _login(site, templates), methods=["GET", "POST"]),
            Route("/pulse", _pulse(site, templates), methods=["GET"]),
            Route(f"{PREFIX}/openapi.json", described, methods=["GET"]),
            *api,
            Mount("/static", StaticFiles(directory=static)),
        ],
        middleware=[Middleware(Guard, site=site)],
        exception_handlers={HTTPException: _http_error, DriftlineError: _our_error, 500: _unexpected},
    )


def _page(site: Site, templates: jinja2.Environment, path: str) -> Callable[[Request], Awaitable[Response]]:
    def answer(request: Request) -> Response:
        query = dict(request.query_params)
        stamp = ""
        try:
            seen = pulse(site.source)  # before the rows: of what comes meanwhile, the page is told
            name, context = PAGES[path](site, query)
            status, stamp = 200, seen
        except NoSuchPlaceError as error:
            name, context, status = "error.html", {"title": "Nothing here", "sentence": f"{error}."}, 404
        except Unavailable as error:
            context = {"title": "Out of reach", "sentence": f"{error.message}.", "hint": error.hint}
            name, status = "error.html", 503
        own = {
            "path": path,
            "now_ms": site.now_ms(),
            "here": f"{path}?{request.url.query}" if request.url.query else path,
            "stamp": stamp,
        }
        return Response(templates.get_template(name).render(**own, **context), status, media_type="text/html")

    async def page(request: Request) -> Response:
        return await run_in_threadpool(answer, request)

    return page


def _change(site: Site, templates: jinja2.Environment, path: str) -> Callable[[Request], Awaitable[Response]]:
    """Takes a form of the alerts' page, and answers with that page."""

    def answer(form: dict[str, str]) -> Response:
        status, said = CHANGES[path](site, form)
        stamp = pulse(site.source)
        name, context = alerts_page(site, {}, **said)
        own = {"path": "/alerts", "now_ms": site.now_ms(), "here": "/alerts", "stamp": stamp}
        return Response(templates.get_template(name).render(**own, **context), status, media_type="text/html")

    async def change(request: Request) -> Response:
        form = await _form(request)
        if why := refused(site.access, **_sender(request), form_token=form.get("form_token", "")):
            return _problem(request, 403, why)
        return await run_in_threadpool(answer, form)

    return change


def _sender(request: Request) -> dict[str, str]:
    """What browsers say of the page that a form is on."""
    headers = request.headers
    return {
        "host": headers.get("host", ""),
        "origin": headers.get("origin", ""),
        "fetch_site": headers.get("sec-fetch-site", ""),
    }


def _pulse(site: Site, templates: jinja2.Environment) -> Callable[[Request], Awaitable[Response]]:
    """Tells a page that is open whether rows have come since it was made."""

    async def look(request: Request) -> Response:
        stamp = await run_in_threadpool(pulse, site.source)
        if stamp == request.query_params.get("seen", ""):
            return Response(status_code=204)
        text = templates.get_template("pulse.html").render(stamp=stamp)
        return Response(text, media_type="text/html", headers={"HX-Trigger": "driftline-news"})

    return look


def _login(site: Site, templates: jinja2.Environment) -> Callable[[Request], Awaitable[Response]]:
    async def login(request: Request) -> Response:
        access = site.access
        wrong = ""
        if request.method == "POST":
            form = await _form(request)
            # Nobody is in yet whose rights another site could use: the form has no token of its own.
            sent_by_us = access.may_change(**_sender(request), form_token=access.form_token)
            if sent_by_us and access.knows(form.get("token", "")):
                answer = RedirectResponse("/", status_code=303)
                answer.set_cookie(
                    COOKIE, access.cookie, httponly=True, samesite="strict", secure=request.url.scheme == "https"
                )
                return answer
            wrong = "That is not the token."
        elif not access.wants_token:
            return RedirectResponse("/", status_code=303)
        text = templates.get_template("login.html").render(title="Log in", wrong=wrong)
        return Response(text, 401 if wrong else 200, media_type="text/html")

    return login


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form; empty where it is larger or is none."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_BYTES:
            return {}
    return {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _endpoint(site: Site, one: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    known = {field.encode_name for field in msgspec.structs.fields(one.parameters)}

    async def answer(request: Request) -> Response:
        given = parse_qsl(request.url.query, keep_blank_values=True)
        names = [name for name, _ in given]
        if len(set(names)) != len(names):
            return _problem(request, 400, "a parameter is given twice")
        if unknown := set(names) - known:
            return _problem(request, 400, f"unknown parameter {sorted(unknown)[0]!r}"[:300], _known(known))
        try:
            asked = msgspec.convert(dict(given), one.parameters, strict=False)
        except msgspec.ValidationError as error:
            return _problem(request, 400, str(error)[:300], _known(known))
        try:
            return _json(await run_in_threadpool(one.call, site.source, asked))
        except NotFoundError as error:
            return _problem(request, 404, str(error))

    return answer


def _known(names: set[str]) -> str:
    return f"parameters: {', '.join(sorted(names)) or 'none'}"


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _problem(request: Request, status: int, error: str, hint: str = "") -> Response:
    if request.url.path.startswith(PREFIX):
        return _json(openapi.Problem(error=error, hint=hint), status)
    return Response(f"{error}\n{hint}\n", status, media_type="text/plain")


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = _problem(request, error.status_code, HTTPStatus(error.status_code).phrase.lower())
    answer.headers.update(dict(error.headers or {}))
    return answer


def _our_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, DriftlineError)
    return _problem(request, 503 if isinstance(error, Unavailable) else 500, error.message, error.hint)


def _unexpected(request: Request, _: Exception) -> Response:
    return _problem(request, 500, "an unexpected error; the log has it")
