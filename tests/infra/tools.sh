#!/usr/bin/env bash
# tools.sh COMMAND...: run COMMAND once Node.js, npm, curl, Apache and nginx are there, with Chromium
# in CHROMIUM and promtool in PROMTOOL.
set -euo pipefail

for tool in node npm curl; do
    if ! command -v "$tool" >/dev/null; then
        echo "The tests need $tool. Install it: apt-get install -y nodejs npm curl" >&2
        exit 1
    fi
done
if ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; then
    echo "The tests need Node.js 20 or newer; this is $(node --version)." >&2
    exit 1
fi

find_chromium() {
    if [ -n "${CHROMIUM:-}" ]; then
        echo "$CHROMIUM"
    else
        command -v chromium-headless-shell || command -v chromium || command -v chromium-browser ||
            command -v google-chrome || true
    fi
}

# Playwright's own download, which may be there from an earlier run.
find_download() {
    .venv/bin/python -c 'from playwright.sync_api import sync_playwright as start
with start() as playwright: print(playwright.chromium.executable_path)'
}

# The headless shell needs a quarter of the processor, because it draws no window.
CHROMIUM="$(find_chromium)"
if [ -z "$CHROMIUM" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q chromium-headless-shell || true
    CHROMIUM="$(find_chromium)"
fi
if [ -z "$CHROMIUM" ]; then
    CHROMIUM="$(find_download)"
    [ -x "$CHROMIUM" ] || .venv/bin/playwright install chromium || true
fi
if [ ! -x "$CHROMIUM" ]; then
    echo "The tests need Chromium. Install it (apt-get install -y chromium-headless-shell), or set" \
        "CHROMIUM to the path of one." >&2
    exit 1
fi
export CHROMIUM

# apache2-bin is the program alone; the package apache2 would also start it as a service.
APACHE="apache2-bin libapache2-mod-auth-openidc"
has_apache() { [ -x /usr/sbin/apache2 ] && [ -e /usr/lib/apache2/modules/mod_auth_openidc.so ]; }

if ! has_apache && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -q
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $APACHE || true
fi
if ! has_apache; then
    echo "The tests need Apache with mod_auth_openidc. Install it: apt-get install -y $APACHE" >&2
    exit 1
fi

# The package would start nginx as a service: for the moment of installing it, nothing may start.
install_nginx() {
    local policy=/usr/sbin/policy-rc.d
    [ ! -e $policy ] || { apt-get install -y -q --no-install-recommends nginx-light; return; }
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod 755 $policy
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends nginx-light || true
    rm -f $policy
}
if [ ! -x /usr/sbin/nginx ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -q
    install_nginx
fi
if [ ! -x /usr/sbin/nginx ]; then
    echo "The tests need nginx. Install it: apt-get install -y nginx-light" >&2
    exit 1
fi

# promtool alone, out of its package: installed, that would start Prometheus as a service.
PROMTOOL="${PROMTOOL:-$(command -v promtool || ls .venv/bin/promtool 2>/dev/null || true)}"
fetch_promtool() (
    folder="$(mktemp -d)"
    trap 'rm -rf "$folder"' EXIT
    [ "$(id -u)" != 0 ] || apt-get update -q
    (cd "$folder" && apt-get download -q prometheus && dpkg-deb -x prometheus_*.deb .)
    cp "$folder/usr/bin/promtool" .venv/bin/promtool
)
if [ -z "$PROMTOOL" ] && command -v apt-get >/dev/null; then
    fetch_promtool && PROMTOOL=.venv/bin/promtool || true
fi
if [ ! -x "$PROMTOOL" ]; then
    echo "The tests need promtool. Set PROMTOOL to the path of one; Prometheus' release has it, and" \
        "Debian's package prometheus." >&2
    exit 1
fi
export PROMTOOL
exec "$@"
