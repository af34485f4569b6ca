"""Check one payment by hand, beside one of the shops here: python check_payment.py IMP_UID ORDER"""

import sys

from shop import verifier  # a Verifier: of your shop, whatever its framework is

from imp_verify import GatewayError


def check(imp_uid, merchant_uid):
    try:
        outcome = verifier.verify(imp_uid, merchant_uid)
    except GatewayError as error:  # it did not answer: nothing is known, ask again later
        return f"not known yet: {error}"
    if outcome.paid:
        return (
            f"{outcome.merchant_uid} is paid: {outcome.payment.amount} {outcome.payment.currency}"
        )
    return f"not paid: {outcome.verdict} {outcome.reason or ''}"


if __name__ == "__main__":
    print(check(*sys.argv[1:]))
