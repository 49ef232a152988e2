# Sourced by quickstart, check and dev/*, from the top of the tree: packages, building, a private httpd's configuration.

say() { printf '%s\n' "$*" >&2; }
die() { say "$0: $*"; exit 1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# packages GROUP...: their names, from dev/packages.
packages() {
    architecture=$(dpkg --print-architecture 2>/dev/null || uname -m)
    for group in "$@"; do sed -n "s,^$group\(/$architecture\)\{0\,1\}  *,,p" dev/packages; done
}

# missing GROUP...: those that are not installed.
missing() {
    for package in $(packages "$@"); do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
            installed) ;;
            *) printf '%s ' "$package" ;;
        esac
    done
}

# need GROUP...: installs what is missing where there is apt; elsewhere says what is needed and stops, unless
# BTHTTP_HAVE_PACKAGES is set by somebody who has installed it all by other names.
need() {
    [ -z "${BTHTTP_HAVE_PACKAGES:-}" ] || return 0
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        say "This needs the following packages (Debian's names), which only apt systems get by themselves:"
        say "$(packages "$@" | tr '\n' ' ')"
        die "install them, then run again with BTHTTP_HAVE_PACKAGES=1"
    fi
    wanted=$(missing "$@")
    [ -n "$wanted" ] || return 0
    say "installing: $wanted"
    # shellcheck disable=SC2086 # a list of words
    apt_install $wanted || { as_root apt-get -q update </dev/null >&2 && apt_install $wanted; } ||
        die "apt-get could not install: $wanted"
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@" </dev/null >&2
}

# build_in DIR [CONFIGURE-ARGUMENT...]: configures there if these arguments were not the last ones, and makes.
build_in() {
    build=$1
    shift
    if [ ! -x configure ] || [ configure.ac -nt configure ]; then ./autogen.sh >&2 || return 1; fi
    mkdir -p "$build"
    if [ ! -f "$build/Makefile" ] || [ "$*" != "$(cat "$build/configured" 2>/dev/null)" ]; then
        (cd "$build" && "$OLDPWD/configure" -q "$@" >&2) || return 1
        printf '%s\n' "$*" >"$build/configured"
        make -s -C "$build" clean >&2 # objects do not know that they were made with other options
    fi
    make -s -C "$build" -j"$(nproc)" >&2
}

# npm_packages BUILD [FROM NAME]: what the tests (or others: FROM) use from npm, into BUILD/npm (or BUILD/NAME), as package-lock.json has it.
npm_packages() {
    command -v npm >/dev/null || need npm || return 1
    from=${2:-t/npm} to=$1/${3:-npm}
    cmp -s "$from/package-lock.json" "$to/installed" && return 0
    mkdir -p "$to" && cp "$from/package.json" "$from/package-lock.json" "$to/" &&
        (cd "$to" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >&2) &&
        cp "$from/package-lock.json" "$to/installed"
}

httpd_binary() { echo "$(apxs_query SBINDIR)/$(apxs_query PROGNAME)"; }
apxs_query() { "$(command -v apxs || command -v apxs2)" -q "$1"; }

# can_read USER PATH: may that user read it? (Only root can ask on behalf of another.)
can_read() {
    if [ "$(id -u)" -eq 0 ]; then setpriv --reuid "$1" --regid "$(id -g "$1")" --clear-groups test -r "$2"
    else test -r "$2"; fi
}

# httpd_user PATH...: who httpd's children should be, so that they can read these: nobody special unless we are root.
httpd_user() {
    [ "$(id -u)" -eq 0 ] || { id -un; return; }
    for user in www-data apache "${SUDO_USER:-}" nobody $(stat -c %U "$@"); do
        [ -n "$user" ] && [ "$user" != root ] && id "$user" >/dev/null 2>&1 || continue
        for path in "$@"; do can_read "$user" "$path" || continue 2; done
        echo "$user"
        return
    done
    return 1
}

# httpd_conf STATE SITE LISTEN MODULE: a configuration like a stock one, with LoadModule for ours, on standard output.
httpd_conf() {
    modules=$(apxs_query LIBEXECDIR)
    cat <<END
ServerRoot "$1"
PidFile "$1/httpd.pid"
ErrorLog "$1/error.log"
ServerName localhost
Listen $3
END
    for name in mpm_event authn_core authz_core authz_host alias autoindex deflate dir env filter headers mime negotiation \
        reqtimeout rewrite setenvif status; do
        if [ -f "$modules/mod_$name.so" ]; then echo "LoadModule ${name}_module \"$modules/mod_$name.so\""; fi
    done
    cat <<END
LoadModule bthttp_module "$4"
BTHTTPStateDir "$1/bthttp"
LogLevel notice bthttp:info
LogFormat "%h \"%r\" %>s %b %{bthttp-status}n" short
CustomLog "$1/access.log" short
TypesConfig /etc/mime.types
DocumentRoot "$2"
<Directory "/">
    Require all denied
</Directory>
<Directory "$2">
    Options Indexes FollowSymLinks
    AllowOverride All
    Require all granted
</Directory>
END
    if [ "$(id -u)" -eq 0 ]; then
        user=$(httpd_user "$1" "$2") || return 1
        printf 'User %s\nGroup %s\n' "$user" "$(id -gn "$user")"
    fi
}

# state_below BUILD NAME: a directory for a private httpd's state below the build directory; when httpd's children could
# not get there (root's home is closed to them), one in /var/tmp with a link to it.
state_below() {
    mkdir -p "$1"
    top=$(cd "$1" && pwd -P)
    state=$top/$2
    if [ "$(id -u)" -eq 0 ] && [ ! -d "$state" ] && ! httpd_user "$top" >/dev/null; then
        elsewhere=$(mktemp -d "/var/tmp/bthttp-$2.XXXXXX")
        chmod 755 "$elsewhere"
        ln -sfn "$elsewhere" "$state"
    fi
    mkdir -p "$state"
    (cd "$state" && pwd -P)
}
