"""What gunicorn serves here."""

from milvusadmin.wsgi import application

from . import builds

__all__ = ["application"]
builds.prepare()
