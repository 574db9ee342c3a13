#!/usr/bin/env bash
# Compares mfatrace with tshark and tcpdump on one packet capture: the same facts, then the times.
# Only public programs: tshark, tcpdump, jq, awk.
#
#   benches/compare.sh FILE.pcap        a capture of yours
#   benches/compare.sh SIZE_MB          one that is made for it (cargo)
#
# What is compared: server names by stream, answers of name servers by name and code, streams with a
# SYN and without its answer, alerts in clear by stream, requests in clear. Hosts that are no part of a
# sign-in are only counted by mfatrace once there are many, so lists are compared for sign-in hosts;
# HOSTS is their pattern. A ratio counts if the facts are equal. MFATRACE names the program.
set -euo pipefail
export LC_ALL=C

HOSTS=${HOSTS:-'(^|\.)(microsoftonline\.com|login\.live\.com|login\.windows\.net|msauth\.net|msftauth\.net)$'}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [[ ${1:-} =~ ^[0-9]+$ ]]; then
    file=$work/made.pcap
    (cd "$root" && cargo bench -q --bench packets -- --write "$file" "$1" ${2:+"$2"})
elif [[ -r ${1:-} ]]; then
    file=$1
else
    echo "usage: $0 FILE.pcap | SIZE_MB [CONNECTIONS]" >&2
    exit 2
fi
mfatrace=${MFATRACE:-$root/target/release/mfatrace}
if [[ ! -x $mfatrace ]]; then
    (cd "$root" && cargo build -q --release)
    mfatrace=$(cd "$root" && cargo metadata --format-version 1 --no-deps | jq -r .target_directory)/release/mfatrace
fi
for program in jq awk; do
    command -v "$program" >/dev/null || { echo "$program is not installed" >&2; exit 2; }
done

# Runs a command and leaves "wall cpu peak" in a file: seconds, seconds, KiB.
measure() {
    local name=$1 status=0
    shift
    if [[ -x /usr/bin/time ]]; then
        /usr/bin/time -o "$work/$name.time" -f '%e %U %S %M' "$@" >"$work/$name.out" 2>"$work/$name.err" || status=$?
        tail -1 "$work/$name.time" | awk '{ print $1, $2 + $3, $4 }' >"$work/$name.cost"
    else
        TIMEFORMAT='%R %U %S'
        { time "$@" >"$work/$name.out" 2>"$work/$name.err" || status=$?; } 2>"$work/$name.time"
        awk '{ print $1, $2 + $3, 0 }' "$work/$name.time" >"$work/$name.cost"
    fi
    # Verdicts have exit codes of their own; more than 4 is a failure.
    if ((status > 4)); then
        cat "$work/$name.err" >&2
        return "$status"
    fi
}

# The best of some runs, by the time on the processor: other programs may be running.
best() {
    local runs=$1 name=$2
    shift 2
    for ((run = 0; run < runs; run++)); do
        measure "$name" "$@"
        cat "$work/$name.cost" >>"$work/$name.costs"
    done
    sort -n -k2,2 "$work/$name.costs" | head -1 >"$work/$name.cost"
}

size=$(stat -c %s "$file")
cat "$file" >/dev/null
best 3 mfatrace "$mfatrace" --no-hash --format json --evidence "$file"
programs=(mfatrace)
if command -v tcpdump >/dev/null; then
    best 3 tcpdump tcpdump -r "$file" -w /dev/null
    programs+=(tcpdump)
else
    echo "tcpdump is not installed, not compared"
fi
if command -v tshark >/dev/null; then
    measure tshark tshark -2 -n -r "$file" \
        -Y 'tcp.flags.syn==1 || tls.handshake.type==1 || tls.alert_message || dns.flags.response==1 || http.request' \
        -T fields -e tcp.stream -e tcp.flags.syn -e tcp.flags.ack \
        -e tls.handshake.extensions_server_name -e tls.alert_message.desc \
        -e dns.qry.name -e dns.flags.response -e dns.flags.rcode \
        -e http.request.method -e http.host
    programs+=(tshark)
else
    echo "tshark is not installed, not compared"
fi

# The facts of tshark, one a line.
by_tshark() {
    awk -F '\t' -v hosts="$HOSTS" '
        $2 == "1" && $3 != "1" { if (!($1 in answered)) answered[$1] = 0 }
        $2 == "1" && $3 == "1" { answered[$1] = 1 }
        $4 != "" { name[$1] = $4; if ($4 ~ hosts) print "name", $1, $4 }
        $5 != "" { alert[$1] = $5 }
        $7 == "1" && $6 ~ hosts { print "lookup", $6, $8 }
        $9 != "" && $10 ~ hosts { print "request", $9, $10 }
        END {
            for (one in answered) if (!answered[one]) print "unanswered", one
            for (one in alert) if (name[one] ~ hosts) print "alert", one, alert[one]
        }' "$work/tshark.out" | sort
}

# Those of mfatrace.
by_mfatrace() {
    jq -r --arg hosts "$HOSTS" '
        def named: (. // "") | test($hosts);
        (.evidence.connections[] | select(.transport == "tcp") |
            (select(.opened == "unanswered" or .opened == "refused" or .opened == "unreachable") |
                "unanswered \(.stream)"),
            (select(.tls != null and (.server_name | named)) |
                (select(.ja4 != null) | "name \(.stream) \(.server_name)"),
                (. as $one | .tls.alerts[] | "alert \($one.stream) \(.description)"))),
        (.evidence.lookups[] | select(.rcode != null and (.name | named)) |
            "lookup \(.name) \(.rcode)"),
        (.evidence.exchanges[] | (.url | capture("^[a-z]+://(?<host>[^/:]+)").host) as $host |
            select($host | named) | "request \(.method) \($host)")
    ' "$work/mfatrace.out" | sort
}

echo "$(basename "$file"): $((size / 1000000)) MB"
for program in "${programs[@]}"; do
    awk -v name="$program" -v size="$size" '{ printf "  %-9s %7.2f s, on the processor %7.2f s, %6.0f MB/s, %d MiB\n", name, $1, $2, size / 1e6 / ($2 > 0 ? $2 : 1), $3 / 1024 }' \
        "$work/$program.cost"
done
ratio() { paste "$work/$1.cost" "$work/$2.cost" | awk '{ printf "%.2f", $2 / $5 }'; }
if [[ " ${programs[*]} " == *" tcpdump "* ]]; then
    echo "mfatrace takes $(ratio mfatrace tcpdump) times as long as tcpdump -r FILE -w /dev/null"
fi
[[ " ${programs[*]} " == *" tshark "* ]] || exit 0

by_mfatrace >"$work/ours"
by_tshark >"$work/all"
# Unanswered streams of other hosts are kept as far as there is room; each that is told must be right.
ours=$(grep -c '^unanswered' "$work/ours" || true)
wrong=$(comm -23 <(grep '^unanswered' "$work/ours") <(grep '^unanswered' "$work/all") | wc -l)
differ=$(comm -3 <(grep -v '^unanswered' "$work/ours") <(grep -v '^unanswered' "$work/all") | tee "$work/differ" | wc -l)
for kind in name lookup alert request; do
    echo "  $kind: $(grep -c "^$kind " "$work/ours" || true) told by mfatrace, $(grep -c "^$kind " "$work/all" || true) by tshark"
done
echo "  unanswered: $ours told by mfatrace, $wrong of them not by tshark, which has $(grep -c '^unanswered' "$work/all" || true) of any host"
if ((differ == 0 && wrong == 0)); then
    echo "facts equal: mfatrace is $(ratio tshark mfatrace) times as fast as tshark -2"
else
    head -20 "$work/differ"
    echo "void: $((differ + wrong)) facts differ ($(ratio tshark mfatrace) times)"
    exit 1
fi
