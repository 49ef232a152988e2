# Sourced by dev/httpd, gdb, valgrind and sanitize: builds in build-NAME and writes a configuration to serve a directory.

cd "$(dirname "$0")/.." || exit 1
. dev/lib.sh
set -eu

# prepare NAME CONFIGURE-ARGUMENT [DIR] [--listen ADDR:PORT]: sets conf to the configuration's path.
prepare() {
    name=$1
    option=$2
    shift 2
    listen=127.0.0.1:8080
    site=
    while [ $# -gt 0 ]; do
        case $1 in
            --listen) listen=$2; shift ;;
            *) site=$(cd "$1" && pwd -P) ;;
        esac
        shift
    done
    need build run
    case $0 in */gdb | */valgrind) need dev ;; esac
    build_in "build-$name" --enable-developer "$option"
    state=$(state_below "build-$name" httpd)
    [ -n "$site" ] || { site=$state/site; mkdir -p "$site"; }
    conf=$state/httpd.conf
    httpd_conf "$state" "$site" "$listen" "$PWD/build-$name/.libs/mod_bthttp.so" |
        sed -e 's/^LogLevel .*/LogLevel info bthttp:debug/' -e 's|^ErrorLog .*|ErrorLog "/dev/stderr"|' >"$conf"
    say "http://$listen/ serves $site"
}
