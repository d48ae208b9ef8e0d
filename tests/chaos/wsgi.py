"""The WSGI application that gunicorn serves under attack."""

from milvusadmin.wsgi import application

from . import builds

__all__ = ["application"]
builds.prepare()
