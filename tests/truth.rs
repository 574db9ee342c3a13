//! What is told of packets agrees with tshark 4.0, over the public captures.
//!
//! Every item that tshark tells of a kind is looked for in the evidence, and the other way round.
#![expect(clippy::unwrap_used, reason = "test support")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mfatrace::evidence::{Answer, Evidence, Locator, NameLookup, Opened, Peer, Scheme, Transport};
use serde_json::Value;

/// Items of one kind, told by tshark and told here, each with its capture.
#[derive(Default)]
struct Kind {
    theirs: BTreeSet<String>,
    ours: BTreeSet<String>,
}

type Kinds = BTreeMap<&'static str, Kind>;

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_lowercase()
}

fn list<'a>(told: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    told.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// What tshark tells.
fn theirs(name: &str, told: &Value, kinds: &mut Kinds) {
    let mut add = |kind: &'static str, item: String| {
        kinds.entry(kind).or_default().theirs.insert(format!("{name} {item}"));
    };
    for hello in list(told, "tls_client_hellos").filter(|hello| !hello["sni"].is_null()) {
        if let Some(stream) = hello["tcp_stream"].as_u64() {
            add("sni", format!("stream {stream} {}", text(&hello["sni"])));
        }
    }
    for alert in list(told, "tls_alerts") {
        if let (Some(stream), Some(code)) = (alert["tcp_stream"].as_u64(), alert["code"].as_u64()) {
            let from = text(&alert["direction"]);
            let item = format!("stream {stream} frame {} {code} from {from}", alert["frame"]);
            add("alert", item);
        }
    }
    for syn in list(told, "tcp_syn_without_synack") {
        let ends = format!("{} {}", text(&syn["client"]), text(&syn["server"]));
        add("unanswered", format!("stream {} {ends}", syn["tcp_stream"]));
    }
    let mut asked = BTreeSet::new();
    for message in list(told, "dns").filter(|message| !message["qname"].is_null()) {
        let is_answer = message["response"].as_bool() == Some(true);
        // A question that is asked again is one lookup here.
        let question = (
            message["id"].to_string(),
            text(&message["qname"]),
            message["qtype"].to_string(),
            message["udp_stream"].to_string(),
        );
        if !is_answer && !asked.insert(question.clone()) {
            continue;
        }
        if is_answer {
            asked.remove(&question);
        }
        let item = format!("frame {} {}", message["frame"], text(&message["qname"]));
        add("dns name", item);
        if is_answer {
            let item = format!("frame {} {}", message["frame"], text(&message["rcode"]));
            add("dns rcode", item);
        }
    }
    for request in list(told, "http").filter(|request| !request["method"].is_null()) {
        let method = text(&request["method"]);
        let uri = text(&request["uri"]);
        let host = if method == "connect" { uri } else { text(&request["host"]) };
        add("http", format!("stream {} {method} {host}", request["tcp_stream"]));
        if let Some(status) = request["status"].as_u64() {
            add(
                "http status",
                format!("stream {} {method} {host} {status}", request["tcp_stream"]),
            );
        }
    }
}

fn rcode(answer: &Answer) -> Option<String> {
    let code = match answer {
        Answer::Addresses(_) | Answer::Cut | Answer::Empty => 0,
        Answer::Failed(code) => *code,
        Answer::None => return None,
    };
    let names = ["noerror", "formerr", "servfail", "nxdomain", "notimp", "refused"];
    Some(names.get(usize::from(code)).map_or_else(|| code.to_string(), ToString::to_string))
}

fn lookup_items(lookup: &NameLookup) -> Vec<(&'static str, String)> {
    let Locator::Frames { first, last, .. } = lookup.at.at else { return Vec::new() };
    let mut items = Vec::new();
    let name = lookup.name.as_str();
    if lookup.tries > 0 {
        items.push(("dns name", format!("frame {first} {name}")));
    }
    if let Some(code) = rcode(&lookup.answer) {
        items.push(("dns name", format!("frame {last} {name}")));
        items.push(("dns rcode", format!("frame {last} {code}")));
    }
    items
}

/// What is told here.
fn ours(name: &str, evidence: &Evidence, kinds: &mut Kinds) {
    let mut add = |kind: &'static str, item: String| {
        kinds.entry(kind).or_default().ours.insert(format!("{name} {item}"));
    };
    for connection in evidence.connections.iter().filter(|one| one.transport == Transport::Tcp) {
        let Some(stream) = connection.stream else { continue };
        let stream = stream.0;
        let tls = connection.tls.as_deref();
        let by_hello = connection.named_by == Some(mfatrace::evidence::NamedBy::ServerName);
        if let Some(host) = connection.server_name.as_ref().filter(|_| by_hello) {
            add("sni", format!("stream {stream} {host}"));
        }
        for alert in tls.iter().flat_map(|tls| &tls.alerts) {
            let Some(Locator::Frames { first, .. }) = alert.at.map(|at| at.at) else { continue };
            let from = if alert.from == Peer::Client { "client" } else { "server" };
            let item = format!("stream {stream} frame {first} {} from {from}", alert.description);
            add("alert", item);
        }
        let unanswered = matches!(
            connection.opened,
            Opened::Unanswered { .. }
                | Opened::Refused
                | Opened::Unreachable { .. }
                // What follows shows that it was answered; the answer is not in the capture.
                | Opened::Established { rtt: None }
        ) && connection.wire.as_ref().is_some_and(|wire| wire.tries > 0);
        if unanswered {
            let (client, server) = (connection.client.unwrap(), connection.server.unwrap());
            let plain = |end: std::net::SocketAddr| format!("{}:{}", end.ip(), end.port());
            add("unanswered", format!("stream {stream} {} {}", plain(client), plain(server)));
        }
    }
    for lookup in &evidence.lookups {
        for (kind, item) in lookup_items(lookup) {
            add(kind, item);
        }
    }
    for exchange in evidence.exchanges.iter().filter(|one| !one.is_hidden()) {
        let Locator::Frames { stream: Some(stream), .. } = exchange.at.at else { continue };
        let host = exchange.request.url.host.as_str();
        let port = exchange.request.url.port;
        let host = match (exchange.request.url.scheme, port) {
            (Scheme::Http, 80) => host.to_owned(),
            _ => format!("{host}:{port}"),
        };
        let method = exchange.request.method.to_lowercase();
        let stream = stream.number.0;
        add("http", format!("stream {stream} {method} {host}"));
        if let Some(status) = exchange.status() {
            add("http status", format!("stream {stream} {method} {host} {status}"));
        }
    }
}

/// Captures that tshark opens with the keys that they hold: all that differs is inside encryption.
const KEYED: &[&str] = &[
    "suricata-verify__dns_over_https.pcap",
    "tls-decryption__dsb-dump.pcapng",
    "tls-decryption__tls3.cryptohack.org.pcapng",
    "wireshark__dhe1.pcapng.gz",
    "wireshark__http2-brotli.pcapng",
    "wireshark__http2-data-reassembly.pcap",
    "wireshark__http2_follow_multistream.pcapng",
    "wireshark__tls12-chacha20poly1305.pcap",
    "wireshark__tls12-dsb.pcapng",
    "wireshark__tls13-20-chacha20poly1305.pcap",
    "wireshark__tls13-rfc8446.pcap",
];

/// Items that differ for a reason, by the beginning of the item; the reasons stand in
/// `src/manual/agreement.md`.
const EXPLAINED: &[&str] = &[
    // HTTP/2 in clear: the truth lists requests of HTTP/1 only.
    "ndpi__http2.pcapng",
    "scapy__http2_h2c.pcap",
    "wireshark__grpc_web.pcapng.gz",
    "arkime__http-tcp-seq-issue.pcap stream 0 post",
    "arkime__no-syn-ack.pcap stream 1 get",
    "arkime__wireshark-retrans.pcap stream 0 post",
    "ndpi__fuzz-2006-06-26-2594.pcap frame",
    "ndpi__tls_missing_ch_frag.pcap stream 0",
    "ndpi__tls_multiple_synack_different_seq.pcapng stream 0",
    "ndpi__windowsupdate_over_http.pcap stream 0 get",
    "suricata-verify__http-connect-simple_input.pcap stream 0 get",
    "suricata-verify__tls_DER-incomplete-header.pcap stream 0 frame 7",
    "tcpdump__LINKTYPE_IPV6_invalid.pcap frame 1",
    "wireshark__communityid.pcap.gz",
    "wireshark__dns-ooo.pcap",
    "wireshark__http-ooo.pcap stream 0",
    "wireshark__http-ooo2.pcap stream 0",
    "wireshark__ipoipoip.pcap stream 0",
    "wireshark__tcp-badsegments.pcap stream 0",
    "zeek__raw_packets.pcap stream null notify",
    "zeek__retransmit-timeout.pcapng stream 0",
    "zeek__ssl-to-http-server.pcap stream 0",
];

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn facts_agree_with_tshark() {
    let (Some(folder), Some(truth)) = (support::public("pcap"), support::public("truth")) else {
        return;
    };
    let mut kinds = Kinds::new();
    let mut files: Vec<_> =
        std::fs::read_dir(&truth).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let capture = folder.join(&name);
        if !name.contains(".pcap") || !capture.exists() || KEYED.contains(&&*name) {
            continue;
        }
        let analysis = support::run(std::slice::from_ref(&capture), &[]);
        theirs(&name, &read(&file), &mut kinds);
        ours(&name, &analysis.evidence, &mut kinds);
    }
    let (mut all, mut open, mut differ) = (0, Vec::new(), 0);
    for (kind, items) in &kinds {
        let missing: Vec<_> = items.theirs.difference(&items.ours).collect();
        let extra: Vec<_> = items.ours.difference(&items.theirs).collect();
        let count = items.theirs.union(&items.ours).count();
        let agree = items.theirs.intersection(&items.ours).count();
        println!(
            "{kind}: {agree} of {count} agree, {} missing, {} extra",
            missing.len(),
            extra.len()
        );
        all += count;
        differ += missing.len();
        for (sign, item) in
            missing.iter().map(|item| ('-', item)).chain(extra.iter().map(|item| ('+', item)))
        {
            let line = format!("{kind} {sign} {item}");
            println!("  {line}");
            if !EXPLAINED.iter().any(|known| item.starts_with(known)) {
                open.push(line);
            }
        }
    }
    println!("{all} items in all, {differ} of tshark's missing, {} unexplained", open.len());
    assert!(differ * 200 <= all, "{differ} of {all} items of tshark are missing");
    assert!(open.is_empty(), "{} of {all} items differ:\n{}", open.len(), open.join("\n"));
}
