# The part of local.sh that only `make demo-sso` needs: a demo identity provider beside the
# web process, and permissions by the groups that it sends. Sourced by local.sh.
# shellcheck shell=sh disable=SC2154  # $data and $port are local.sh's

provider_port=${PROVIDER_PORT:-9400}
issuer=http://127.0.0.1:$provider_port
provider=$data/provider

# Copy the provider into its data folder, and install its library there, once.
install_provider() {
    if ! npm --version >/dev/null 2>&1 ||
        ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; then
        echo "The demo identity provider needs Node.js 20 or newer, with npm." >&2
        exit 1
    fi
    mkdir -p "$provider"
    cp deploy/demo-sso/*.mjs deploy/demo-sso/package*.json "$provider"
    if ! cmp -s "$provider/package-lock.json" "$provider/installed"; then
        (cd "$provider" && npm ci --loglevel error --no-audit --no-fund >&2) || {
            echo "npm could not install the demo identity provider." >&2
            exit 1
        }
        cp "$provider/package-lock.json" "$provider/installed"
    fi
    [ -s "$data/client-secret" ] || random 32 > "$data/client-secret"
}

use_provider() {
    unset OIDC_CLIENT_SECRET OIDC_GROUPS_CLAIM OIDC_GRACE OIDC_GRACE_FOR_DROPS
    export SIGN_IN=oidc OIDC_ISSUER="$issuer" OIDC_CLIENT_ID=milvus-admin
    export OIDC_CLIENT_SECRET_FILE="$data/client-secret"
    export OIDC_SCOPES="openid profile email groups" OIDC_RECHECK=30s
    export MILVUSADMIN_CONFIG="$PWD/deploy/demo-sso/config.toml"
    export MILVUS_REAUTH=2m MILVUS_PROTECTED='billing_*'
}

start_provider() {
    RP_BASE="http://127.0.0.1:$port,http://localhost:$port" TEST_HOOKS=1 \
        CLIENT_SECRET="$(cat "$data/client-secret")" KEY_FILE="$provider/key.json" \
        node "$provider/provider.mjs" "$provider_port" > "$data/provider.log" 2>&1 &
    companion=$!
}

explain() {
    cat <<TEXT

  Milvus Admin is at       http://127.0.0.1:$port/   (this machine only; Ctrl+C stops it)
  The demo provider is at  $issuer   (it asks for no password)

  people     Ada Osei     ml-platform   sees and drops everything, but billing_* is protected
             Vera Lind    ml-readers    sees article_* and book* in one database, drops nothing
             Aldo Conti   audit         sees everything, reads the audit log, drops nothing

  Try this:
  1. Sign in as Vera, then sign out and come back as Ada: Ada's lists are longer.
  2. As Ada, wait two minutes and drop article_embeddings_v5: you are asked to sign in again first.
  3. Open the dialog for another drop, and take Ada's group away while it is open. Then confirm:
       curl -X PUT $issuer/test/users/ada -d '{"groups": []}'
     Nothing is dropped, because the provider is asked again right before. Give it back, and within
     half a minute she is who she was:
       curl -X PUT $issuer/test/users/ada -d '{"groups": ["ml-platform"]}'
  4. End Ada's session at the provider. Her next click leads to the sign-in page:
       curl -X POST $issuer/test/sessions/ada/end
  5. As Aldo, read in the audit log what you have done.

  The rules are in deploy/demo-sso/config.toml.

TEXT
}
