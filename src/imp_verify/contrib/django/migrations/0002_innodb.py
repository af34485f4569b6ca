"""On MySQL and MariaDB the tables are kept by InnoDB, whatever the server's default is."""

from django.db import migrations

from imp_verify.contrib.django._dialects import pin_engine


class Migration(migrations.Migration):
    dependencies = [("imp_verify", "0001_initial")]

    operations = [migrations.RunPython(pin_engine, migrations.RunPython.noop, atomic=False)]
