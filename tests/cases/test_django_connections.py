"""Cases met in Django where connections to the database live on: the database closes them, and a
process that does not go on holds a row."""

from __future__ import annotations

import io
import secrets
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.test import RequestFactory, override_settings

from imp_verify import Outcome
from imp_verify.contrib.django.stores import DjangoStore
from tests.storage import django_shops
from tests.storage.django_shops import run, tell
from tests.support import django_site as site
from tests.support import markers
from tests.support.django_databases import SERVERS, another, end_sessions
from tests.support.gateway import I1, ORDER, PRICE, VBANK, ScriptedGateway
from tests.support.shop import PREFIX

pytestmark = [pytest.mark.xdist_group("django"), pytest.mark.usefixtures("django_databases")]
OTHER, OTHER_ORDER = "imp_200000000002", "ORD-2002"


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database with two orders."""
    django_shops.empty(request.param)
    for number in (ORDER, OTHER_ORDER):
        run(request.param, "INSERT INTO orders VALUES (%s, %s, 1, 'KRW')", number, str(PRICE))
    yield request.param
    connections.close_all()


def setting(gateway: ScriptedGateway, using: str, **arguments: Any) -> dict[str, Any]:
    arguments.setdefault("on_paid", lambda outcome, using: tell("on_paid", outcome, using))
    return {
        "STORE": DjangoStore(using=using, expected=django_shops.expected, **arguments),
        "CREDENTIALS": {"KEY": markers.KEY, "SECRET": markers.SECRET},
        "BASE_URL": gateway.address,
    }


def notice(imp_uid: str, number: str) -> tuple[int, str]:
    """Send a webhook as a WSGI server would: Django looks after its connections around it."""
    body = site.dumps({"imp_uid": imp_uid, "merchant_uid": number, "status": "paid"})
    request = RequestFactory().post(f"{PREFIX}/webhook", body, "application/json")
    environ = {**request.environ, "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr}
    said: list[str] = []
    answer: Any = WSGIHandler()(environ, lambda status, headers: said.append(status))
    content = b"".join(answer)
    answer.close()
    return int(said[0][:3]), content.decode()


def shipped(using: str) -> list[str]:
    told = run(using, "SELECT number FROM told WHERE hook = 'on_paid' ORDER BY number")
    return [number for (number,) in told]


def test_n02_sessions_that_the_database_ended_over_night_cost_no_notice(
    gateway: ScriptedGateway, server: str
) -> None:
    gateway.has()
    gateway.has(**VBANK, imp_uid=OTHER, merchant_uid=OTHER_ORDER)
    with (
        another(server, {"CONN_MAX_AGE": 600}) as using,
        override_settings(IMP_VERIFY=setting(gateway, using)),
    ):
        assert notice(I1, ORDER)[0] == 200
        assert "vbankIssued" in notice(OTHER, OTHER_ORDER)[1]
        before = connections[using].connection
        gateway.has(imp_uid=OTHER, merchant_uid=OTHER_ORDER, pay_method="vbank")
        end_sessions(server)
        assert connections[using].connection is before  # it has lived on, and nobody has looked
        status, text = notice(OTHER, OTHER_ORDER)
    assert (status, '"success"' in text) == (200, True)
    connections[server].close()
    assert shipped(server) == [ORDER, OTHER_ORDER]


def test_n02_a_connection_to_a_server_that_only_reads_since_a_failover_costs_no_notice(
    gateway: ScriptedGateway, server: str
) -> None:
    gateway.has()
    gateway.has(imp_uid=OTHER, merchant_uid=OTHER_ORDER)
    kept = {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
    with (
        another(server, kept) as using,
        override_settings(IMP_VERIFY=setting(gateway, using)),
    ):
        assert notice(I1, ORDER)[0] == 200
        before = connections[using].connection
        level = "SESSION CHARACTERISTICS AS" if server == "postgresql" else "SESSION"
        with before.cursor() as cursor:
            cursor.execute(f"SET {level} TRANSACTION READ ONLY")
        assert notice(OTHER, OTHER_ORDER)[0] == 200
        assert connections[using].connection is not before
    connections[server].close()
    assert shipped(server) == [ORDER, OTHER_ORDER]


def test_a_frozen_process_makes_its_orders_notices_trouble_and_no_others(
    gateway: ScriptedGateway, server: str
) -> None:
    frozen, thaw = threading.Event(), threading.Event()
    asked: list[int] = []
    # Names of this run alone: near rows that were deleted MariaDB locks more than the one row.
    run_of = secrets.token_hex(4)
    orders = [f"{number}-{run_of}" for number in (ORDER, OTHER_ORDER)]
    claims = [(f"imp_{place}_{run_of}", order) for place, order in enumerate(orders)]
    for imp_uid, order in claims:
        gateway.has(imp_uid=imp_uid, merchant_uid=order)
        run(server, "INSERT INTO orders VALUES (%s, %s, 1, 'KRW')", order, str(PRICE))

    def freeze(outcome: Outcome, using: str) -> None:
        tell("on_paid", outcome, using)
        if outcome.merchant_uid == orders[0]:
            frozen.set()
            thaw.wait(60)

    def ask(imp_uid: str, number: str) -> int:
        status, _ = notice(imp_uid, number)
        connections.close_all()
        asked.append(status)
        return status

    given = setting(gateway, server, on_paid=freeze, lock_timeout=1)
    with override_settings(IMP_VERIFY=given):
        thread = threading.Thread(target=ask, args=claims[0])
        thread.start()
        try:
            assert frozen.wait(30)
            assert ask(*claims[0]) == 503
            assert ask(*claims[1]) == 200
        finally:
            thaw.set()
            thread.join(60)
    assert asked == [503, 200, 200]
    assert shipped(server) == orders
