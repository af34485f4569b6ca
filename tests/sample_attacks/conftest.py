"""Shops and a gateway for this directory."""

from tests.support.fixtures import gateway, kind, make_shop, one_gateway, shop

__all__ = ["gateway", "kind", "make_shop", "one_gateway", "shop"]
