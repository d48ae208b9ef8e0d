from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("collections_app", "0009_claim_sent"),
    ]

    operations = [
        migrations.CreateModel(
            name="Quota",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("since", models.DateTimeField(db_index=True)),
                ("written", models.IntegerField()),
                ("withheld", models.IntegerField()),
                ("phase", models.CharField(max_length=20)),
                ("action", models.CharField(max_length=40)),
                ("actor", models.JSONField()),
            ],
            options={"default_permissions": ()},
        ),
    ]
