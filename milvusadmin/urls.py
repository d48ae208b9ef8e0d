"""Addresses of the project: sign-in, and the app."""

from django.urls import include, path

urlpatterns = [
    path("", include("milvusadmin.sso.urls")),
    path("", include("collections_app.urls")),
]

handler400 = "collections_app.views.problems.bad_request"
handler403 = "collections_app.views.problems.forbidden"
handler404 = "collections_app.views.problems.not_found"
handler500 = "collections_app.views.problems.server_error"
