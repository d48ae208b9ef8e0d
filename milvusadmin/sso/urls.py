"""Addresses of sign-in and sign-out."""

from django.urls import path

from . import views

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("signed-out/", views.signed_out, name="signed-out"),
    path("oidc/callback/", views.callback, name="oidc-callback"),
    path("oidc/backchannel-logout/", views.backchannel_logout, name="oidc-backchannel-logout"),
]
