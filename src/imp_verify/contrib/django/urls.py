"""The endpoints' addresses: `path("payments/", include("imp_verify.contrib.django.urls"))`.

Under ASGI Django takes the whole body before any view, however long and slow it is: what stops it
there is the server, or `imp_verify.contrib.asgi.PaymentsMiddleware` in front of Django.
"""

from __future__ import annotations

from django.apps import apps
from django.urls import ResolverMatch, URLPattern
from django.urls.resolvers import RoutePattern

from ... import ENDPOINTS, AsyncVerifier, ConfigurationError
from .conf import get_verifier
from .views import serve, serve_async

__all__ = ["app_name", "urlpatterns"]


class _Route(URLPattern):
    """A route whose view gets the verifier and is sync or async as that is, which is not known
    before a request."""

    def resolve(self, path: str) -> ResolverMatch | None:
        match = super().resolve(path)
        if match is not None:
            match.kwargs["verifier"] = verifier = get_verifier()
            if isinstance(verifier, AsyncVerifier):
                match.func = serve_async
        return match


def _route(endpoint: str, slash: str) -> URLPattern:
    name = None if slash else endpoint
    pattern = RoutePattern(f"{endpoint}{slash}", name=name, is_endpoint=True)
    return _Route(pattern, serve, {"endpoint": endpoint}, name)


if not apps.is_installed("imp_verify.contrib.django"):
    # Without it nothing would be checked, and a DjangoStore has no tables.
    raise ConfigurationError(
        'INSTALLED_APPS lacks "imp_verify.contrib.django": the payment endpoints need it'
    )

app_name = "imp_verify"
urlpatterns = [_route(endpoint, slash) for endpoint in ENDPOINTS for slash in ("", "/")]
