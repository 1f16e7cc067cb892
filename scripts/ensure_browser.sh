#!/bin/sh
# The browser tests need Chromium. Bring it with the system's package manager where that is possible without asking.
set -eu
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing Chromium for the browser tests ..."
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } \
        >/dev/null 2>&1 && exit 0
fi
if [ "${CI:-}" = true ]; then
    echo "No Chromium, and it could not be installed: the browser tests cannot run." >&2
    exit 1
fi
echo "No Chromium found: the browser tests will be skipped. Install it with your package manager to run them." >&2
