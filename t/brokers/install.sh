#!/bin/sh
# Installs the servers that the tests start, on Debian and Ubuntu: what continuous
# integration runs. Does nothing about what is there already.
#
# The packages would start services of their own. The tests have no use for these,
# so a policy forbids it for as long as this script runs.
set -eu
exec </dev/null

# A server is there if one of the paths (patterns) that follow its package exists.
missing=
want() {
    package=$1
    shift
    for path; do
        if [ -x "$path" ]; then return; fi
    done
    missing="$missing $package"
}

want postgresql /usr/lib/postgresql/*/bin/postgres "$(command -v postgres || :)"
want mariadb-server /usr/sbin/mariadbd "$(command -v mariadbd || :)"
want rabbitmq-server /usr/lib/rabbitmq/bin/rabbitmq-server
want redis-server "$(command -v redis-server || :)"
want openssl "$(command -v openssl || :)"

want default-jre-headless "$(command -v java || :)"

# python-qpid-proton is compiled where it is installed.
want gcc "$(command -v gcc || :)"
want libssl-dev /usr/include/openssl

# Qpid Broker-J is in no package: its libraries are fetched into the user's cache.
folder=${XDG_CACHE_HOME:-$HOME/.cache}/kombu-brokers/broker-j
description=$(dirname "$0")/broker_j.pom.xml
if ! cmp -s "$description" "$folder/pom.xml"; then
    want maven "$(command -v mvn || :)"
fi
fetch_broker_j() {
    if cmp -s "$description" "$folder/pom.xml"; then return; fi
    echo "fetching Qpid Broker-J"
    rm -rf "$folder"
    mkdir -p "$folder"
    mvn -B -q -f "$description" \
        org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$folder"
    # Last: it says that the rest is there.
    cp "$description" "$folder/pom.xml"
}

if [ -z "$missing" ]; then
    fetch_broker_j
    echo "every server is installed"
    exit
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "installing$missing needs root: sudo $0" >&2
    exit 1
fi

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
fi

echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 -- several packages
apt-get install -y -qq --no-install-recommends $missing
fetch_broker_j
