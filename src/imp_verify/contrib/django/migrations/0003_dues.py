"""The money to give back, the place of reconcile, and why a payment is late; from the tables of 0.1,
which lose nothing."""

from typing import Any

from django.db import migrations, models
from django.utils.timezone import now

import imp_verify.contrib.django.fields
from imp_verify.contrib.django._dialects import pin_engine


def note_beginning(apps: Any, schema_editor: Any) -> None:
    """Note when the store begins: what was paid before is nobody's business."""
    runs = apps.get_model("imp_verify", "Run").objects.using(schema_editor.connection.alias)
    runs.get_or_create(account="", defaults={"began": now().replace(microsecond=0)})


class Migration(migrations.Migration):
    dependencies = [("imp_verify", "0002_innodb")]

    operations = [
        migrations.DeleteModel(name="MoneyToGiveBack"),  # it had no table, and `Due` is its place
        migrations.AddField(
            model_name="receipt",
            name="reason",
            field=models.CharField(max_length=32, null=True, verbose_name="reason"),
        ),
        migrations.CreateModel(
            name="Due",
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
                    "kind",
                    models.CharField(
                        choices=[
                            ("forgery", "forged"),
                            ("duplicate", "paid twice"),
                            ("late", "paid too late"),
                            ("refused", "refused by the shop"),
                        ],
                        max_length=16,
                        verbose_name="why",
                    ),
                ),
                (
                    "amount",
                    imp_verify.contrib.django.fields.MoneyField(
                        decimal_places=8, max_digits=26, verbose_name="amount"
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
                ("begun", models.DateTimeField(null=True, verbose_name="first tried")),
                ("tries", models.IntegerField(verbose_name="tries")),
                ("next_try", models.DateTimeField(null=True, verbose_name="next try")),
                (
                    "error",
                    imp_verify.contrib.django.fields.ExactTextField(
                        max_length=200, null=True, verbose_name="last error"
                    ),
                ),
                ("created", models.DateTimeField(verbose_name="due since")),
                ("done", models.DateTimeField(null=True, verbose_name="done")),
            ],
            options={
                "verbose_name": "payment to give back",
                "verbose_name_plural": "payments to give back",
                "db_table": "imp_dues",
                "permissions": (("give_back_due", "Can give money back at the gateway"),),
            },
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                (
                    "account",
                    imp_verify.contrib.django.fields.ExactTextField(
                        max_length=240, primary_key=True, serialize=False, verbose_name="account"
                    ),
                ),
                ("began", models.DateTimeField(verbose_name="store began")),
                ("since", models.DateTimeField(null=True, verbose_name="from")),
                ("until", models.DateTimeField(null=True, verbose_name="until")),
                ("page", models.IntegerField(null=True, verbose_name="next page")),
                ("finished", models.DateTimeField(null=True, verbose_name="finished until")),
            ],
            options={
                "verbose_name": "reconciliation",
                "verbose_name_plural": "reconciliations",
                "db_table": "imp_runs",
            },
        ),
        migrations.RunPython(pin_engine, migrations.RunPython.noop, atomic=False),
        migrations.RunPython(
            note_beginning, migrations.RunPython.noop, hints={"model_name": "run"}
        ),
    ]
