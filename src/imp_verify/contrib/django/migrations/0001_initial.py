"""The three tables, as they were first."""

from django.db import migrations, models

import imp_verify.contrib.django.fields


class Migration(migrations.Migration):
    initial = True

    dependencies: list[tuple[str, str]] = []

    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                (
                    "merchant_uid",
                    imp_verify.contrib.django.fields.ExactTextField(
                        max_length=64,
                        primary_key=True,
                        serialize=False,
                        verbose_name="order number",
                    ),
                ),
                (
                    "paid_by",
                    imp_verify.contrib.django.fields.ExactTextField(
                        max_length=32, null=True, verbose_name="paid by"
                    ),
                ),
                ("was_paid", models.BooleanField(default=False, verbose_name="was ever paid")),
            ],
            options={
                "verbose_name": "order",
                "verbose_name_plural": "orders",
                "db_table": "imp_orders",
            },
        ),
        migrations.CreateModel(
            name="Change",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "imp_uid",
                    imp_verify.contrib.django.fields.ExactTextField(
                        max_length=32, verbose_name="payment"
                    ),
                ),
                (
                    "change",
                    imp_verify.contrib.django.fields.ExactTextField(
                        max_length=120, verbose_name="change"
                    ),
                ),
                (
                    "merchant_uid",
                    imp_verify.contrib.django.fields.ExactTextField(
                        max_length=64, verbose_name="order number"
                    ),
                ),
                ("verdict", models.CharField(max_length=32, verbose_name="verdict")),
                ("reason", models.CharField(max_length=32, null=True, verbose_name="reason")),
                (
                    "amount",
                    imp_verify.contrib.django.fields.MoneyField(
                        decimal_places=8, max_digits=26, verbose_name="amount"
                    ),
                ),
                ("endpoint", models.CharField(max_length=32, verbose_name="came by")),
                ("at", models.DateTimeField(verbose_name="when")),
            ],
            options={
                "verbose_name": "change",
                "verbose_name_plural": "changes",
                "db_table": "imp_changes",
                "constraints": [
                    models.UniqueConstraint(fields=("imp_uid", "change"), name="imp_changes_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="MoneyToGiveBack",
            fields=[],
            options={
                "verbose_name": "money to give back",
                "verbose_name_plural": "money to give back",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("imp_verify.change",),
        ),
        migrations.CreateModel(
            name="Receipt",
            fields=[
                (
                    "imp_uid",
                    imp_verify.contrib.django.fields.ExactTextField(
                        max_length=32, primary_key=True, serialize=False, verbose_name="payment"
                    ),
                ),
                (
                    "merchant_uid",
                    imp_verify.contrib.django.fields.ExactTextField(
                        max_length=64, verbose_name="order number"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting for a deposit"),
                            ("paying", "paid"),
                            ("failed", "failed"),
                            ("cancelled", "cancelled"),
                            ("duplicate", "paid twice"),
                            ("late", "paid too late"),
                        ],
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                (
                    "amount",
                    imp_verify.contrib.django.fields.MoneyField(
                        decimal_places=8, max_digits=26, verbose_name="amount"
                    ),
                ),
                (
                    "cancel_amount",
                    imp_verify.contrib.django.fields.MoneyField(
                        decimal_places=8, max_digits=26, verbose_name="given back"
                    ),
                ),
                (
                    "currency",
                    imp_verify.contrib.django.fields.ExactTextField(
                        max_length=64, verbose_name="currency"
                    ),
                ),
                (
                    "account",
                    imp_verify.contrib.django.fields.ExactTextField(
                        max_length=255, null=True, verbose_name="account"
                    ),
                ),
                ("test", models.BooleanField(verbose_name="test payment")),
                (
                    "pay_method",
                    imp_verify.contrib.django.fields.ExactTextField(
                        max_length=64, null=True, verbose_name="method"
                    ),
                ),
                (
                    "vbank_name",
                    imp_verify.contrib.django.fields.ExactTextField(
                        max_length=64, null=True, verbose_name="bank"
                    ),
                ),
                (
                    "vbank_num",
                    imp_verify.contrib.django.fields.ExactTextField(
                        max_length=64, null=True, verbose_name="virtual account"
                    ),
                ),
                ("vbank_due", models.DateTimeField(null=True, verbose_name="to be paid in by")),
                ("paid_at", models.DateTimeField(null=True, verbose_name="paid at")),
                ("created_at", models.DateTimeField(verbose_name="first seen")),
                ("updated_at", models.DateTimeField(verbose_name="last changed")),
            ],
            options={
                "verbose_name": "payment",
                "verbose_name_plural": "payments",
                "db_table": "imp_receipts",
                "permissions": (("check_receipt", "Can check payments again at the gateway"),),
                "indexes": [models.Index(fields=["merchant_uid"], name="imp_receipts_order")],
            },
        ),
    ]
