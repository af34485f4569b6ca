"""The tables of release 0.1 with one order that was paid then."""

from __future__ import annotations

from sqlalchemy import text

from imp_verify.stores.sqlalchemy import metadata
from imp_verify.testing._harness import FIRST, ORDER, PRICE
from tests.storage.sqlalchemy_shops import Place, plain_engine

OF_0_1 = f"""
CREATE TABLE imp_orders (
    merchant_uid TEXT NOT NULL PRIMARY KEY, paid_by TEXT, was_paid INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE imp_receipts (
    imp_uid TEXT NOT NULL PRIMARY KEY, merchant_uid TEXT NOT NULL, state TEXT NOT NULL,
    amount TEXT NOT NULL, cancel_amount TEXT NOT NULL, currency TEXT NOT NULL, account TEXT,
    test INTEGER NOT NULL, pay_method TEXT, vbank_name TEXT, vbank_num TEXT, vbank_due TEXT,
    paid_at TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL
);
CREATE INDEX imp_receipts_order ON imp_receipts (merchant_uid);
CREATE TABLE imp_changes (
    imp_uid TEXT NOT NULL, change TEXT NOT NULL, merchant_uid TEXT NOT NULL, verdict TEXT NOT NULL,
    reason TEXT, amount TEXT NOT NULL, endpoint TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (imp_uid, change)
);
INSERT INTO imp_orders VALUES ('{ORDER}', '{FIRST}', 1);
INSERT INTO imp_receipts VALUES ('{FIRST}', '{ORDER}', 'paying', '{PRICE}', '0', 'KRW', NULL, 0,
    'card', NULL, NULL, NULL, NULL, '2025-01-01T00:00:00.000+00:00',
    '2025-01-01T00:00:00.000+00:00');
INSERT INTO imp_changes VALUES ('{FIRST}', 'paid', '{ORDER}', 'paid', NULL, '{PRICE}', 'webhook',
    '2025-01-01T00:00:00.000+00:00');
"""


def as_they_were(place: Place) -> None:
    """Make the tables as SQLAlchemy made them then, with what is recorded in them."""
    old = [metadata.tables[name] for name in ("imp_orders", "imp_receipts", "imp_changes")]
    engine = plain_engine(place)
    with engine.begin() as db:
        metadata.drop_all(db)
        metadata.create_all(db, old)
        db.execute(text("ALTER TABLE imp_receipts DROP COLUMN reason"))
        for line in OF_0_1.split("INSERT")[1:]:
            zone = "" if engine.dialect.name == "mysql" else "+00:00"
            statement = f"INSERT{line}".replace(" 1)", " true)").replace(" 0,", " false,")
            db.execute(text(statement.replace(".000+00:00", f".000{zone}").replace("T0", " 0")))
    engine.dispose()
