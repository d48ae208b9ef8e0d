"""An index for the log by cluster and database, built while the old version writes to the log."""

from django.db import migrations, models

from collections_app.indexes import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("collections_app", "0003_rights_are_rules"),
    ]

    operations = [
        AddIndexOnline(
            model_name="auditevent",
            index=models.Index(
                fields=["cluster", "database", "-sequence"], name="audit_by_database"
            ),
        ),
    ]
