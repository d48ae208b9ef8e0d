"""The door for gunicorn. Workers load it after the fork, and so make their own Milvus clients."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from milvusadmin.middleware.forwarded import below

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "milvusadmin.settings")

application = below(settings.URL_PREFIX, get_wsgi_application())
