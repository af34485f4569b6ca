"""Columns that keep text and money exactly, on every database that Django knows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models

__all__ = ["ExactTextField", "MoneyField"]


class ExactTextField(models.CharField):
    """Text that is compared byte for byte, whatever the database's collation.

    On MySQL and MariaDB it is kept as bytes: their usual collations fold case and ignore spaces at
    the end, and a connection in three-byte UTF-8 (Django's own default before 5.2) would turn
    different emoji into the same question marks.
    """

    def db_type(self, connection: Any) -> str:
        """Return the column's type; a character takes up to four bytes."""
        if connection.vendor == "mysql":
            return f"varbinary({4 * self.max_length})"
        if connection.vendor == "postgresql":
            # By its short name Django would add a second index, for LIKE.
            return f"character varying({self.max_length})"
        return str(super().db_type(connection))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """Return what the driver is to send."""
        value = super().get_db_prep_value(value, connection, prepared)
        if connection.vendor == "mysql" and isinstance(value, str):
            return value.encode()
        return value

    def from_db_value(self, value: Any, *_: object) -> str | None:
        """Return the text again."""
        return value.decode() if isinstance(value, bytes) else value


class MoneyField(models.DecimalField):
    """An amount of at most 18 digits before and 8 after the point, in the currency's main unit.

    On SQLite it is decimal text: Django's own column for decimals goes through a float there. Read
    back it has no zeros behind the last digit.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "max_digits": 26, "decimal_places": 8})

    def get_internal_type(self) -> str:
        """Return a name for which no backend has a conversion of its own."""
        return "MoneyField"

    def db_type(self, connection: Any) -> str:
        """Return the column's type."""
        return "text" if connection.vendor == "sqlite" else "numeric(26, 8)"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """Return what the driver is to send."""
        exact = Decimal(value)
        return f"{exact:f}" if connection.vendor == "sqlite" else exact

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        """Return what the driver is to send."""
        return self.get_db_prep_value(value, connection)

    def from_db_value(self, value: Any, *_: object) -> Decimal | None:
        """Return the amount again. By its digits: arithmetic would round to the context's, and some
        shops have their driver give floats."""
        if value is None:
            return None
        digits = f"{Decimal(str(value)):f}"
        return Decimal(digits.rstrip("0").rstrip(".") if "." in digits else digits)
