"""Addresses of the project: sign-in, and the app."""

from django.urls import include, path

urlpatterns = [
    path("", include("milvusadmin.sso.urls")),
    path("", include("collections_app.web.urls")),
]

handler400 = "collections_app.web.handlers.bad_request"
handler403 = "collections_app.web.handlers.forbidden"
handler404 = "collections_app.web.handlers.not_found"
handler500 = "collections_app.web.handlers.server_error"
