"""The door for gunicorn. Workers load it after the fork, and so make their own Milvus clients."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "milvusadmin.settings")

application = get_wsgi_application()
