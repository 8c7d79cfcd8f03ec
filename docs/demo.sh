#!/bin/sh
# Verdicts on the example file: no root, no keyring, no server. `make demo` runs this.
set -u
export MAILPOLICY_FILE=accounts.toml.example

show() {
    echo "\$ mailpolicy $*"
    mailpolicy "$@"
    status=$?
    case $status in
        0 | 1) echo ;;
        *) echo "mailpolicy failed with $status" >&2; exit "$status" ;;
    esac
}

echo "The policy: $MAILPOLICY_FILE"
echo
show validate
show account show carla@acme.example
show check imani@acme.example pop 203.0.113.9
show check alice@acme.example pop 10.20.3.4
show check alice@acme.example pop 203.0.113.9
show check carla@acme.example outlook-connector 192.168.7.8
show check carla@acme.example outlook-connector 2001:db8::1
show check benedikt@acme.example imap 203.0.113.9
show check scanner@acme.example imap 10.20.3.4
show check sales@acme.example outlook-connector 203.0.113.9
show check elif@acme.example multipop
show check pedro@contractors.acme.example multipop
show check pedro@contractors.acme.example smtp 10.20.3.4
show check rosa@acme.example imap 10.20.3.4
show check carl@acme.example imap 10.20.3.4
