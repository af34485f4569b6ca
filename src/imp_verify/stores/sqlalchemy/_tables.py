"""The five tables, and column types that mean the same on every database."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    TypeDecorator,
    false,
)
from sqlalchemy.dialects.mysql import DATETIME, VARBINARY
from sqlalchemy.types import TypeEngine

from .._dues import LONGEST_ERROR

__all__ = [
    "Exact",
    "Moment",
    "Money",
    "changes",
    "dues",
    "metadata",
    "orders",
    "receipts",
    "runs",
]

_MYSQL = ("mysql", "mariadb")
_EXACT = Context(prec=40)
"""Whatever precision the shop's own context has, money keeps every digit."""


class Exact(TypeDecorator[str]):
    """Text that is compared byte for byte: no database may fold case, accents or spaces at an end.

    On MySQL and MariaDB it is UTF-8 in a VARBINARY, which no character set of a connection can
    change, on PostgreSQL it has the collation "C".
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int, widest: int = 4) -> None:
        super().__init__(length)
        self.length = length
        self.widest = widest

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in _MYSQL:
            return dialect.type_descriptor(VARBINARY(self.length * self.widest))
        collation = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(String(self.length, collation))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        return value.encode() if value is not None and dialect.name in _MYSQL else value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return value.decode() if isinstance(value, bytes | bytearray) else value


class Money(TypeDecorator[Decimal]):
    """An exact amount, 18 digits before the point and 8 after it. SQLite, which would make a float
    of it, keeps it as text."""

    impl = Numeric
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(26, 8)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        exact = String(28) if dialect.name == "sqlite" else Numeric(26, 8)
        return dialect.type_descriptor(exact)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        return f"{value:f}" if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        # By its text: some shops have their driver give floats, and that has the fewest digits.
        amount = Decimal(str(value))
        whole = amount.to_integral_value(None, _EXACT)
        return whole if whole == amount else amount.normalize(_EXACT)


class Moment(TypeDecorator[datetime]):
    """A time in UTC, aware in Python. MySQL and MariaDB keep it without its zone, SQLite as ISO
    8601 text."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(32))
        mysql = dialect.name in _MYSQL
        return dialect.type_descriptor(DATETIME(fsp=6) if mysql else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        value = value.astimezone(UTC)
        return value.isoformat() if dialect.name == "sqlite" else value.replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


metadata = MetaData()
"""The store's tables, for the shop's migrations: Alembic's `target_metadata` takes a list."""

_IMP_UID = Exact(32, widest=1)
_ORDER = Exact(64)
_OPTIONS: dict[str, Any] = {
    f"{name}_{option}": value
    for name in _MYSQL
    for option, value in {"engine": "InnoDB", "charset": "utf8mb4"}.items()
}

orders = Table(
    "imp_orders",
    metadata,
    Column("merchant_uid", _ORDER, primary_key=True),
    Column("paid_by", _IMP_UID),
    Column("was_paid", Boolean, nullable=False, server_default=false()),
    **_OPTIONS,
)
receipts = Table(
    "imp_receipts",
    metadata,
    Column("imp_uid", _IMP_UID, primary_key=True),
    Column("merchant_uid", _ORDER, nullable=False),
    Column("state", String(16), nullable=False),
    Column("amount", Money, nullable=False),
    Column("cancel_amount", Money, nullable=False),
    Column("currency", Exact(64), nullable=False),
    Column("account", Exact(255)),
    Column("test", Boolean, nullable=False),
    Column("pay_method", Exact(64)),
    Column("vbank_name", Exact(64)),
    Column("vbank_num", Exact(64)),
    Column("vbank_due", Moment),
    Column("paid_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("reason", String(32)),
    Index("imp_receipts_order", "merchant_uid"),
    **_OPTIONS,
)
changes = Table(
    "imp_changes",
    metadata,
    Column("imp_uid", _IMP_UID, primary_key=True),
    Column("change", Exact(128, widest=1), primary_key=True),
    Column("merchant_uid", _ORDER, nullable=False),
    Column("verdict", String(32), nullable=False),
    Column("reason", String(32)),
    Column("amount", Money, nullable=False),
    Column("endpoint", String(32), nullable=False),
    Column("at", Moment, nullable=False),
    **_OPTIONS,
)
dues = Table(
    "imp_dues",
    metadata,
    Column("imp_uid", _IMP_UID, primary_key=True),
    Column("merchant_uid", _ORDER, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("amount", Money, nullable=False),
    Column("currency", Exact(64), nullable=False),
    Column("account", Exact(255)),
    Column("test", Boolean, nullable=False),
    Column("begun", Moment),
    Column("tries", Integer, nullable=False),
    Column("next_try", Moment),
    Column("error", Exact(LONGEST_ERROR)),
    Column("created", Moment, nullable=False),
    Column("done", Moment),
    **_OPTIONS,
)
runs = Table(
    "imp_runs",
    metadata,
    Column("account", Exact(240), primary_key=True),
    Column("began", Moment, nullable=False),
    Column("since", Moment),
    Column("until", Moment),
    Column("page", Integer),
    Column("finished", Moment),
    **_OPTIONS,
)
