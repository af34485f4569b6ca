from django.db import migrations, models

from imp_verify import order_number


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                (
                    "number",
                    models.CharField(
                        default=order_number, max_length=64, primary_key=True, serialize=False
                    ),
                ),
                ("total", models.IntegerField()),
                ("state", models.CharField(default="new", max_length=16)),
            ],
        ),
    ]
