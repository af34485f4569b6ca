from imp_verify import ExpectedPayment
from imp_verify.contrib.django.stores import DjangoStore
from shop.models import Order


def expected(number, using):  # what the order asks for; None: there is no such order
    order = Order.objects.using(using).filter(number=number).first()
    return order and ExpectedPayment(order.number, order.total, open=order.state == "new")


def paid(outcome, using):  # once, in the transaction that records the payment
    Order.objects.using(using).filter(number=outcome.merchant_uid).update(state="paid")


store = DjangoStore(expected=expected, on_paid=paid)
