from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("collections_app", "0005_watch"),
    ]

    operations = [
        migrations.CreateModel(
            name="Pulse",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("well", models.BooleanField()),
            ],
            options={"default_permissions": ()},
        ),
    ]
