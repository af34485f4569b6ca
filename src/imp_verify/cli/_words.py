"""What the commands say, Korean and English, and in which of the two."""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping

__all__ = ["EN", "KO", "Words", "language_here"]

KO: dict[str, str] = {
    "app_missing": "쇼핑몰의 Verifier가 어디에 있는지 알려 주세요: "
    "--app 모듈:이름 (예: --app shop:verifier) 또는 환경 변수 IMP_VERIFY_APP",
    "app_form": "--app은 모듈:이름이어야 합니다 (예: shop:verifier). 받은 값: {spec}",
    "app_no_module": "--app {spec}: 모듈을 찾을 수 없습니다: {module} "
    "(찾은 곳: {folder}, 그리고 Python의 경로)",
    "app_import": "--app {spec}: 모듈 {module}의 import가 실패했습니다: {error}",
    "app_no_name": "--app {spec}: 모듈 {module}에 이런 이름이 없습니다: {name}",
    "app_no_verifier": "--app {spec}: Verifier도, AsyncVerifier도, 그 가운데 하나를 만드는 "
    "함수도 아닙니다: {kind}",
    "app_raised": "--app {spec}: Verifier를 만드는 함수가 실패했습니다: {error}",
    "app_made": "--app {spec}: 함수가 만든 것이 Verifier도 AsyncVerifier도 아닙니다: {kind}",
}

EN: dict[str, str] = {
    "app_missing": "say where the shop's verifier is: --app module:name (--app shop:verifier, for "
    "example), or the environment variable IMP_VERIFY_APP",
    "app_form": "--app must be module:name, shop:verifier for example, not {spec}",
    "app_no_module": "--app {spec}: there is no module {module} in {folder}, nor on Python's path",
    "app_import": "--app {spec}: importing the module {module} failed: {error}",
    "app_no_name": "--app {spec}: the module {module} has no {name}",
    "app_no_verifier": "--app {spec}: {kind} is no Verifier, no AsyncVerifier, and no function "
    "that makes one",
    "app_raised": "--app {spec}: the function that makes the verifier failed: {error}",
    "app_made": "--app {spec}: the function made {kind}, which is no Verifier and no AsyncVerifier",
}


class Words:
    """The sentences of one language: `words("app_form", spec=...)`.

    Args:
        language: "ko" or "en"; None takes that of the machine, where it is Korean, else English.
    """

    def __init__(self, language: str | None = None) -> None:
        self._table: Mapping[str, str] = KO if (language or language_here()) == "ko" else EN

    def __call__(self, key: str, **values: object) -> str:
        return self._table[key].format_map(values)


def language_here() -> str:
    """Return "ko" where the environment, or else the system, is Korean, and "en" elsewhere."""
    named = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    found = next(filter(None, named), None) or locale.getlocale()[0] or ""
    return "ko" if found.lower().startswith("ko") else "en"  # ko_KR.UTF-8, Korean_Korea.949
