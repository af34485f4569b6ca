"""Payments that are there at once, in whatever state a test wants them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from imp_verify.sandbox._moves.base import Base
from imp_verify.sandbox.accounts import Account
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.making import read_edit, read_payment


class Making(Base):
    """Makes payments and edits them, without the way that leads there."""

    def make(self, /, **fields: object) -> Attempt:
        """Make a payment in any documented state. Nothing is sent.

        Args:
            fields: `merchant_uid` and `amount`; the others may be left out, and what happened at a
                time that is left out happened at once, as late as now. Names and units are those of
                `GET /payments/{imp_uid}`.

                `status`: ready, paid (where left out), failed, cancelled or pending. `pay_method`
                (vbank: an account is issued), `pg_provider`, `channel`, `currency`, `name`,
                `escrow`, `buyer_name` and so on, `custom_data`, `customer_uid`,
                `customer_uid_usage`, `notice_url`. `sandbox`: made through a test channel.
                `account`: the key of whose it is, the first one's where left out, and `tier`.
                `promotion`: an object of `id`, `discount`, and `least`, what must be left of the
                amount for the promotion to stay.

                `cancelled`: what was given back, a list of amounts, or of objects of `amount`,
                `cancelled_at` and `reason`; all where a cancelled payment has none; a paid one may
                have some too. Times: `started_at`, `paid_at`, `failed_at`, `cancelled_at` (of parts
                without a time), `updated_at`. `fail_reason`. Of an account: `vbank_num`,
                `vbank_code`, `vbank_name`, `vbank_holder`, `vbank_date`, `vbank_issued_at`. One
                that waits ends at its `vbank_date` as any other does.

        Raises:
            ValueError: A name or a value is wrong, or they do not fit together; it names the field.
        """
        return self._add([self._wanted(fields)])[0]

    def make_all(self, payments: Iterable[Mapping[str, object]]) -> list[Attempt]:
        """Make many payments, all or, where one is wrong, none; each is given as to `make`.

        Raises:
            ValueError: As `make`, with the place of the first wrong one, from 0.
        """
        wanted = []
        for at, fields in enumerate(payments):
            try:
                wanted.append(self._wanted(fields))
            except ValueError as error:
                raise ValueError(f"payments[{at}]: {error}") from None
        return self._add(wanted)

    def _wanted(self, fields: Mapping[str, object]) -> dict[str, Any]:
        if not isinstance(fields, Mapping):
            raise ValueError("a payment is an object of fields")
        first = self._accounts.first().key
        wanted = read_payment(fields, account=first, now=self._clock(), digits=self._digits)
        if not self._accounts.knows(wanted["account"]):
            raise ValueError("account is no key of this gateway")
        return wanted

    def _add(self, wanted: Iterable[dict[str, Any]]) -> list[Attempt]:
        made = []
        with self._lock:
            for fields in wanted:
                imp_uid, number = self._new_imp_uid(), len(self._ledger)
                made.append(Attempt(imp_uid=imp_uid, number=number, **fields))
                self._ledger.put(made[-1])
                self._waits(made[-1])
                if made[-1].customer_uid_usage == "issue" and made[-1].paid_at:
                    self.customers.remember(made[-1])
        return made

    def change(self, imp_uid: str, /, **fields: object) -> Attempt:
        """Change a payment into another that there can be: fields as of `make`. Nothing is sent.

        What only its status before could have goes with that; what the new one needs and is not
        named, happened now. `merchant_uid`, `account` and `tier` stay as they are.

        Raises:
            ValueError: As `make`.
        """
        with self._lock:
            attempt = self.attempt(imp_uid)
            changes = read_edit(attempt, fields, now=self._clock(), digits=self._digits)
            changed = replace(attempt, **changes)
            self._ledger.put(changed)
            self._waits(changed)
            return changed

    def _waits(self, attempt: Attempt) -> None:
        """Say of an account that it waits; of one whose deadline is over the test meant it so."""
        due = attempt.vbank.due if attempt.vbank and attempt.waits_for_deposit else 0
        if self.when_waiting and due > self._clock():
            self.when_waiting(attempt.imp_uid)

    def edit(self, imp_uid: str, **changes: Any) -> Attempt:
        """Set any field of an attempt: for states that no documented way leads to."""
        with self._lock:
            self.attempt(imp_uid)
            return self._move(imp_uid, **changes)

    def accounts(self) -> list[Account]:
        """Return the gateway's customers, the first one first."""
        return self._accounts.all()

    def record(self) -> dict[str, Any]:
        """Return all that it holds, at one moment, as `restore` takes it up."""
        with self._lock:
            return {
                "accounts": self._accounts.all(),
                "channels": dict(self._channels),
                "prepared": self.registrations.all(),
                "customers": self.customers.all(),
                "series": self._series,
                "ids": self._digits.seed,
                "drawn": self._digits.drawn,
                "attempts": list(self._ledger),
            }

    def restore(self, series: str, drawn: int, attempts: Iterable[Attempt]) -> None:
        """Take up the payments of a record, where there are none yet.

        Raises:
            ValueError: They are not all the payments of a gateway, in the order of their opening.
        """
        with self._lock:
            if len(self._ledger):
                raise ValueError("state: there are payments already")
            for at, attempt in enumerate(attempts):
                name = f"state.attempts[{at}]"
                if attempt.number != at or self._ledger.get(attempt.imp_uid):
                    raise ValueError(f"{name}: its number is not {at}, or its imp_uid is not new")
                if not self._accounts.knows(attempt.account):
                    raise ValueError(f"{name}: account is no key of this gateway")
                self._ledger.put(attempt)
            self._series, self._digits.drawn = series, drawn
