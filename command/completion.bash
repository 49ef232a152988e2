# Completion of bthttp-torrentgen for bash. Installed as bthttp-torrentgen where bash-completion looks.
_bthttp_torrentgen()
{
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} subcommand=${COMP_WORDS[1]} words=
    local making="--torrent-version --piece-size --threads --announce --web-seed --name --include-hidden --follow-links"

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="create show verify magnet scan list forget gc check --help --version"
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
        return
    fi
    case $before in
        --torrent-version) words="v1 v2 hybrid" ;;
        --piece-size) words="auto 16K 32K 64K 128K 256K 512K 1M 2M 4M 8M 16M" ;;
        --threads) words=auto ;;
        --order) words="newest oldest smallest largest path" ;;
        --state-dir) mapfile -t COMPREPLY < <(compgen -d -- "$current"); compopt -o filenames 2>/dev/null; return ;;
        --announce | --web-seed | --name | --comment | --peer | --min-size | --max-size | -a | -w) return ;;
    esac
    if [ -n "$words" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
        return
    fi
    case $current in
        -*)
            case $subcommand in
                create) words="$making --output --force --comment --no-date --json --quiet --help" ;;
                show) words="--json --help" ;;
                verify) words="--threads --json --quiet --help" ;;
                magnet) words="$making --peer --quiet --help" ;;
                scan) words="--state-dir --min-size --max-size --order --torrent-version --piece-size --threads --include-hidden
                    --follow-links --no-digest --verbose --json --quiet --help" ;;
                list) words="--state-dir --json --help" ;;
                forget) words="--state-dir --recursive --quiet --help" ;;
                gc) words="--state-dir --verbose --json --quiet --help" ;;
                check) words="--state-dir --json --quiet --help" ;;
            esac
            mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
            ;;
        *)
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            compopt -o filenames 2>/dev/null
            ;;
    esac
}
complete -F _bthttp_torrentgen bthttp-torrentgen
