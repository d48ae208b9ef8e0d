#!/bin/sh
# make digests: ask the registries for the digests of the images that compose.yaml names, and write
# deploy/.env, which compose reads. Needs skopeo, or docker with buildx. Changes nothing else.
set -eu
cd "$(dirname "$0")"

digest() {
    if command -v skopeo >/dev/null; then
        skopeo inspect --no-tags --format '{{.Digest}}' "docker://$1"
    elif command -v docker >/dev/null; then
        docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$1"
    else
        echo "make digests needs skopeo, or docker with buildx. Install one of them." >&2
        return 1
    fi
}

new=$(mktemp .env.XXXXXX)
trap 'rm -f "$new"' EXIT
[ ! -f .env ] || grep -vE '^(BASE|POSTGRES|MILVUS)_IMAGE=' .env > "$new" || true
sed -n 's/.*\${\([A-Z]*_IMAGE\):-\([^}]*\)}.*/\1 \2/p' compose.yaml | while read -r name image; do
    found=$(digest "$image") || { echo "$image: no digest. .env was not changed." >&2; exit 1; }
    echo "$found" | grep -qE '^sha256:[0-9a-f]{64}$' || {
        echo "$image: the answer is not a digest: $found. .env was not changed." >&2
        exit 1
    }
    echo "$name=$image@$found" | tee -a "$new"
done
chmod 644 "$new"
mv "$new" .env
echo "Wrote deploy/.env. Build and start with these images: docker compose up -d --build"
