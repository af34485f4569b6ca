"""HTTP control, for tests and tools in any language: what a test sets, does and sees."""

from imp_verify.sandbox._http.control.routes import Control

__all__ = ["Control"]
