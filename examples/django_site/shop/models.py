from django.db import models

from imp_verify import order_number


class Order(models.Model):
    number = models.CharField(max_length=64, primary_key=True, default=order_number)
    total = models.IntegerField()
    state = models.CharField(max_length=16, default="new")
