"""A Django project in one module: its settings, its URLs, and what stands in a request's way."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

HERE = __name__
_directory = tempfile.TemporaryDirectory()
DATABASE = Path(_directory.name) / "django.db"

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(DATABASE)},
            "other": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "imp_verify.contrib.django",
        ],
        MIDDLEWARE=[
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
        ],
        ROOT_URLCONF=HERE,
        SECRET_KEY="not a secret",
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        USE_TZ=True,
    )
    django.setup()


def own(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"the shop's own")


urlpatterns = [
    path("pay/", include("imp_verify.contrib.django.urls")),
    path("own", own),
]


class no_slash:  # noqa: N801  # a URLconf may be any object; this one's prefix lacks its slash
    urlpatterns = [path("pay", include("imp_verify.contrib.django.urls"))]  # noqa: RUF012


class nothing:  # noqa: N801
    urlpatterns = [path("own", own)]  # noqa: RUF012


Step = Callable[[HttpRequest], object]


def _around(before: Step, after: Step = bool) -> Callable[[Any], Any]:
    """Make a middleware of both colours that does something to a request on its way in or out."""

    def make(get_response: Any) -> Any:
        async def asynchronous(request: HttpRequest) -> Any:
            before(request)
            response = await get_response(request)
            after(request)
            return response

        def plain(request: HttpRequest) -> Any:
            before(request)
            response = get_response(request)
            after(request)
            return response

        if iscoroutinefunction(get_response):
            return markcoroutinefunction(asynchronous)
        return plain

    make.async_capable = make.sync_capable = True  # type: ignore[attr-defined]
    return make


reads_post = _around(lambda request: request.POST.get("imp_uid"))
reads_body = _around(lambda request: request.body)
reads_body_twice = _around(lambda request: (request.body, request.read()))
reads_stream = _around(lambda request: request.read())
reads_session = _around(lambda request: dict(request.session.items()))
reads_body_afterwards = _around(bool, lambda request: request.body)


def connected(app: Any) -> Any:
    """Keep the client there until it has its answer: Django drops a request whose client leaves."""

    async def stays(scope: Any, receive: Any, send: Any) -> None:
        async def wait() -> Any:
            message = await receive()
            if message["type"] == "http.disconnect":
                await asyncio.Event().wait()
            return message

        await app(scope, wait, send)

    return stays


class LoginEverywhere:
    """Sends everybody to a log-in page, as the middleware of Django 5.1 does."""

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        return self._get_response(request)

    def process_view(self, request: HttpRequest, view: Any, *_: object) -> HttpResponse | None:
        if getattr(view, "login_required", True):
            return HttpResponse(status=302, headers={"Location": "/login"})
        return None


def dumps(value: object) -> bytes:
    return json.dumps(value).encode()
