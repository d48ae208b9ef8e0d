"""All settings, read from the environment. docs/configuration.md explains each variable."""

import os
from datetime import timedelta
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from collections_app.access.roles import built_in
from milvusadmin.config import (
    approvals,
    clusters,
    database,
    env,
    languages,
    logs,
    notifications,
    sign_in,
)
from milvusadmin.config.peers import peers
from milvusadmin.middleware import forwarded

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("DATA_DIR", BASE_DIR / "var"))

# --- Mode -----------------------------------------------------------------------------------

DEBUG = env.flag("DEBUG")
# Plain HTTP on this machine only: the demo and `make run`. Nothing else may leave cookies open.
LOOPBACK_ONLY = env.flag("LOOPBACK_ONLY")
HTTPS = not (DEBUG or LOOPBACK_ONLY)


def required_secret(name: str, why: str) -> str:
    value = env.secret(name)
    if value and len(value) >= 32:
        return value
    problem = "is shorter than 32 characters" if value else f"is not set, nor is {name}_FILE"
    raise ImproperlyConfigured(f"{name} {problem}. It {why}; make one with: openssl rand -hex 32")


SECRET_KEY = required_secret("SECRET_KEY", "signs sessions and confirmations")
AUDIT_KEY = required_secret("AUDIT_KEY", "seals the audit log")
AUDIT_RETIRED_KEYS = (env.secret("AUDIT_RETIRED_KEYS") or "").split()  # oldest first
if AUDIT_KEY in AUDIT_RETIRED_KEYS:
    raise ImproperlyConfigured(
        "AUDIT_KEY is also in AUDIT_RETIRED_KEYS. Remove it there, or make a new AUDIT_KEY."
    )

# --- Milvus ---------------------------------------------------------------------------------

CONFIG = clusters.load()
CLUSTERS = CONFIG.clusters
CONFIRMATION_SECONDS = 15 * 60  # how long a drop dialog may stay open
PLAN_SECONDS = 30 * 60  # how long a plan may wait to be confirmed

# --- Sign-in and rights ---------------------------------------------------------------------

SIGN_IN = sign_in.mode(this_machine_only=not HTTPS)
OIDC = sign_in.oidc() if SIGN_IN == "oidc" else None
PROXY = sign_in.proxy() if SIGN_IN == "proxy" else None
ACCESS = CONFIG.access + (built_in() if SIGN_IN == "local" else ())
if not ACCESS:
    raise ImproperlyConfigured(
        f"SIGN_IN is {SIGN_IN}, and there is no [[access]] rule, so nobody could do anything. "
        "Add rules to the file that MILVUSADMIN_CONFIG names."
    )
approvals.check(CLUSTERS, ACCESS)
if SIGN_IN == "proxy" and any(c.reauth for c in CLUSTERS.values()):
    raise ImproperlyConfigured(
        "reauth needs SIGN_IN=oidc or local: a proxy's headers don't say when somebody signed in."
    )
BACKENDS = {
    "oidc": ["milvusadmin.sso.backends.OidcBackend"],
    "proxy": ["milvusadmin.sso.backends.ProxyBackend"],
    "local": ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"],
}
# A session belongs to the backend it was made with: after a change of mode it is nobody's.
AUTHENTICATION_BACKENDS = BACKENDS[SIGN_IN]
AXES_ENABLED = SIGN_IN == "local"
SILENCED_SYSTEM_CHECKS = [] if AXES_ENABLED else ["axes.W003"]  # the backend it misses
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
# Both together: a stranger can't lock the one emergency account out for everybody.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_CALLABLE = "milvusadmin.sso.local.counted_as"
AXES_CLIENT_IP_CALLABLE = "milvusadmin.sso.local.counted_from"
AXES_LOCKOUT_CALLABLE = "milvusadmin.sso.local.locked_out"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True  # the audit log has it
AXES_VERBOSE = False

# --- Who may reach us -----------------------------------------------------------------------

LOOPBACK = ["127.0.0.1", "localhost", "[::1]"]
ALLOWED_HOSTS = LOOPBACK if LOOPBACK_ONLY else forwarded.hosts()
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
# Below a prefix the host is not ours alone: what is said of its subdomains is not for us to say.
URL_PREFIX = FORCE_SCRIPT_NAME = forwarded.prefix()
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS and not URL_PREFIX
if URL_PREFIX:
    SILENCED_SYSTEM_CHECKS += ["security.W005", "security.W021"]
TRUST_PROXY = peers("TRUST_PROXY")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY else None
USE_X_FORWARDED_HOST = bool(TRUST_PROXY)
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
# A browser takes __Host- cookies for the path / only.
COOKIE_KIND = "" if not HTTPS else "__Secure-" if URL_PREFIX else "__Host-"
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{COOKIE_KIND}session", f"{COOKIE_KIND}csrf"
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = URL_PREFIX or "/"
SESSION_COOKIE_AGE = 8 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
X_FRAME_OPTIONS = "DENY"
# The shape Django 6 reads by itself; until then milvusadmin.middleware.security sends it.
SECURE_CSP = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}

# --- Django ---------------------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "axes",
    "django_tasks",
    "django_tasks_db",
    "milvusadmin.sso",
    "milvusadmin.doctor",
    "collections_app",
]
MIDDLEWARE = [
    "milvusadmin.middleware.forwarded.ForwardedMiddleware",
    "milvusadmin.middleware.health.HealthMiddleware",
    "milvusadmin.middleware.metrics.MetricsMiddleware",
    "milvusadmin.middleware.request_log.RequestLogMiddleware",
    "django_htmx.middleware.HtmxMiddleware",  # before all that may answer with a problem page
    "django.middleware.security.SecurityMiddleware",
    "milvusadmin.middleware.security.PolicyHeadersMiddleware",
    "milvusadmin.middleware.security.LoopbackOnlyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",  # pads at random, against guessing by length
    "milvusadmin.middleware.language.LanguageMiddleware",  # below static files, which have none
    "milvusadmin.middleware.writes.QueuedWritesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "milvusadmin.sso.middleware.SignInMiddleware",
    "milvusadmin.middleware.login.HtmxLoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "collections_app.web.errors.ProblemPagesMiddleware",
    "collections_app.web.http.SlotsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "milvusadmin.urls"
WSGI_APPLICATION = "milvusadmin.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "collections_app.web.context.navigation",
            ],
        },
    }
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
CSRF_FAILURE_VIEW = "collections_app.web.handlers.csrf_failure"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = os.environ.get("TIME_ZONE", "UTC")
# Of the process: records, logs and commands are English. Pages have the language of the request.
LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English"), ("zh-hans", "简体中文")]
DEFAULT_LANGUAGE = languages.default("DEFAULT_LANGUAGE", [code for code, _ in LANGUAGES])
LANGUAGE_COOKIE_NAME = f"{COOKIE_KIND}language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_PATH = URL_PREFIX or "/"
LANGUAGE_COOKIE_SECURE, LANGUAGE_COOKIE_HTTPONLY = HTTPS, True
LANGUAGE_COOKIE_SAMESITE = "Lax"

# --- Database -------------------------------------------------------------------------------

DATABASES = {"default": database.from_environment(DATA_DIR)}

# --- Background work: manage.py work -----------------------------------------------------------

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default"]}}

# --- Notifications: manage.py send_notifications ----------------------------------------------

NOTIFICATIONS = notifications.load()
MAIL = notifications.mail_server()
EMAIL_HOST, EMAIL_PORT = MAIL.host, MAIL.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL.user, MAIL.password
EMAIL_USE_TLS, EMAIL_USE_SSL = MAIL.security == "starttls", MAIL.security == "tls"
DEFAULT_FROM_EMAIL = MAIL.sender

# --- Static files ---------------------------------------------------------------------------

STATIC_URL = f"{URL_PREFIX}/static/"
STATIC_ROOT = Path(os.environ.get("STATIC_ROOT", DATA_DIR / "static"))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = DEBUG

# --- Metrics --------------------------------------------------------------------------------

METRICS_TOKEN = env.secret("METRICS_TOKEN")
if METRICS_TOKEN and len(METRICS_TOKEN) < 32:
    raise ImproperlyConfigured(
        "METRICS_TOKEN is shorter than 32 characters. Anybody who has it can read /metrics. Make "
        "one with: openssl rand -hex 32"
    )

# --- Logging --------------------------------------------------------------------------------

AUDIT_LOG_FILE = env.log_file("AUDIT_LOG_FILE")
LOGGING = logs.config(AUDIT_LOG_FILE)
