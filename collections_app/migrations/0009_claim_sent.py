from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("collections_app", "0008_removed_segments"),
    ]

    operations = [
        migrations.AddField(
            model_name="claim",
            name="sent",
            field=models.CharField(db_default="act", max_length=10),
        ),
    ]
