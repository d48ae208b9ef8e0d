"""`{% load milvus %}`: the filters and tags of web/display.py."""

from ..web.display import register

__all__ = ["register"]
