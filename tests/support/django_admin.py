"""Settings of a Django project that has the admin, over those of `django_site`."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.urls import path

from . import django_site

APPS = ("admin", "auth", "contenttypes", "messages", "sessions", "staticfiles")
_PROCESSORS = ("template.context_processors.request", "contrib.auth.context_processors.auth")


class _Urls:
    """A URLconf may be any object; what is in the admin is known only once it is installed."""

    @property
    def urlpatterns(self) -> list[Any]:
        return [*django_site.urlpatterns, path("admin/", admin.site.urls)]


SETTINGS: dict[str, Any] = {
    "INSTALLED_APPS": [*(f"django.contrib.{name}" for name in APPS), "imp_verify.contrib.django"],
    "MIDDLEWARE": [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    "ROOT_URLCONF": _Urls(),
    "STATIC_URL": "/static/",
    "TEMPLATES": [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    *(f"django.{name}" for name in _PROCESSORS),
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
}
