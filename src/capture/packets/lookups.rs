//! Name lookups: each question with its answer, and the names that addresses were found by.
//!
//! It must not judge an answer.
//!
//! Invariants: a question that is asked again with the same id from the same port is one lookup; at
//! most `limits::OPEN_LOOKUPS` wait for their answers, and the oldest give way.

use std::net::{IpAddr, SocketAddr};

use hashbrown::HashMap;

use crate::capture::Scope;
use crate::evidence::{
    Answer, EvidenceBuilder, EvidenceRef, HostName, InputId, Locator, LookupTransport, NameLookup,
    Stream, StreamNumber, Transport,
};
use crate::limits;
use crate::proto::Mark;
use crate::proto::dns::{DnsMessage, RecordData};

/// Aliases kept of one name.
const ALIASES: usize = 16;

/// Lookups that wait at once on a usual computer.
const FEW: usize = 1_000;

/// Who talks to whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Talk {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) transport: LookupTransport,
    pub(super) stream: Option<StreamNumber>,
    pub(super) input: InputId,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    client: SocketAddr,
    resolver: SocketAddr,
    id: u16,
    name: HostName,
    kind: u16,
}

struct Open {
    lookup: NameLookup,
    first: Mark,
}

/// The lookups of one input.
#[derive(Default)]
pub(super) struct Lookups {
    open: HashMap<Key, Open>,
    names: HashMap<IpAddr, HostName>,
    /// Questions to name servers.
    pub(super) asked: u64,
    /// Answers of name servers.
    pub(super) answered: u64,
}

fn place(input: InputId, first: Mark, last: Mark, talk: &Talk) -> EvidenceRef {
    let transport = match talk.transport {
        LookupTransport::Tcp => Transport::Tcp,
        _ => Transport::Udp,
    };
    let stream = talk.stream.map(|number| Stream { transport, number });
    let (first, last) = (first.frame.min(last.frame), first.frame.max(last.frame));
    EvidenceRef { input, at: Locator::Frames { first, last, stream } }
}

impl Lookups {
    /// The name that an address was found by last.
    pub(super) fn name_of(&self, address: IpAddr) -> Option<&HostName> {
        self.names.get(&address)
    }

    /// Takes a message, and the frames that it began and ended in.
    pub(super) fn message(
        &mut self,
        message: &DnsMessage,
        talk: &Talk,
        (first, last): (Mark, Mark),
        into: &mut EvidenceBuilder,
        scope: &Scope,
    ) {
        let Some(question) = &message.question else { return };
        // The root, and names that no host has.
        let asked = if question.name == "." { "<Root>" } else { question.name.as_str() };
        let Some(name) = into.looked_up(asked) else { return };
        let kind = question.qtype;
        if message.is_response {
            self.answer(message, name, kind, talk, (first, last), into, scope);
        } else {
            self.question(message.id, name, kind, talk, last, into, scope);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one message")]
    fn question(
        &mut self,
        id: u16,
        name: HostName,
        kind: u16,
        talk: &Talk,
        mark: Mark,
        into: &mut EvidenceBuilder,
        scope: &Scope,
    ) {
        if talk.transport.is_server() {
            self.asked = self.asked.saturating_add(1);
        }
        let key = Key { client: talk.from, resolver: talk.to, id, name: name.clone(), kind };
        if let Some(open) = self.open.get_mut(&key) {
            open.lookup.tries = open.lookup.tries.saturating_add(1);
            open.lookup.asked_last = Some(mark.at);
            open.lookup.at = place(talk.input, open.first, mark, talk);
            return;
        }
        if self.open.len() >= limits::OPEN_LOOKUPS {
            self.flush(limits::OPEN_LOOKUPS / 2, into);
        }
        let at = place(talk.input, mark, mark, talk);
        let in_scope = scope.covers(name.as_str(), "/");
        let lookup = NameLookup {
            kind: Some(kind),
            transport: talk.transport,
            client: Some(talk.from),
            resolver: Some(talk.to),
            asked: Some(mark.at),
            asked_last: Some(mark.at),
            in_scope,
            ..NameLookup::new(name, Answer::None, at)
        };
        self.open.insert(key, Open { lookup, first: mark });
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one message")]
    fn answer(
        &mut self,
        message: &DnsMessage,
        name: HostName,
        kind: u16,
        talk: &Talk,
        (first, last): (Mark, Mark),
        into: &mut EvidenceBuilder,
        scope: &Scope,
    ) {
        if talk.transport.is_server() {
            self.answered = self.answered.saturating_add(1);
        }
        let mut addresses = Vec::new();
        let mut aliases = Vec::new();
        for record in &message.answers {
            match &record.data {
                RecordData::A(address) => addresses.push(IpAddr::V4(*address)),
                RecordData::Aaaa(address) => addresses.push(IpAddr::V6(*address)),
                RecordData::Cname(to) if aliases.len() < ALIASES => aliases.extend(into.host(to)),
                _ => {}
            }
        }
        if talk.transport.is_server() {
            for address in &addresses {
                if self.names.len() < limits::NAMED_ADDRESSES || self.names.contains_key(address) {
                    self.names.insert(*address, name.clone());
                }
            }
        }
        let answer = match (message.rcode, addresses.is_empty()) {
            (0, false) => Answer::Addresses(addresses),
            (0, true) if !message.complete => Answer::Cut,
            // It says no more than that the client has to ask over TCP.
            (0, true) if message.truncated => Answer::None,
            (0, true) => Answer::Empty,
            (code, _) => Answer::Failed(code),
        };
        let key = Key { client: talk.to, resolver: talk.from, id: message.id, name, kind };
        if let Some(open) = self.open.remove(&key) {
            let mut lookup = open.lookup;
            lookup.took = lookup.asked.map(|asked| last.at.since(asked));
            lookup.answer = answer;
            lookup.aliases = aliases;
            lookup.at = place(talk.input, open.first, last, talk);
            into.add_lookup(lookup);
            return;
        }
        let in_scope = scope.covers(key.name.as_str(), "/");
        into.add_lookup(NameLookup {
            kind: Some(kind),
            aliases,
            transport: talk.transport,
            client: Some(talk.to),
            resolver: Some(talk.from),
            tries: 0,
            asked: Some(last.at),
            asked_last: None,
            in_scope,
            ..NameLookup::new(key.name, answer, place(talk.input, first, last, talk))
        });
    }

    /// Notes that the network told a client that a name server cannot be asked.
    pub(super) fn unreachable(&mut self, client: SocketAddr, resolver: SocketAddr) {
        // All that wait are looked through: where there are very many, it is no usual client.
        if self.open.len() > FEW {
            return;
        }
        let own = |key: &Key| key.client == client && key.resolver == resolver;
        for (_, open) in self.open.iter_mut().filter(|(key, _)| own(key)) {
            open.lookup.unreachable = true;
        }
    }

    /// Gives out the oldest that wait, until so many are left.
    fn flush(&mut self, left: usize, into: &mut EvidenceBuilder) {
        let mut all: Vec<(Key, Open)> = self.open.drain().collect();
        all.sort_by_key(|(_, open)| open.first.frame);
        let given = all.len().saturating_sub(left);
        for (index, (key, open)) in all.into_iter().enumerate() {
            if index < given {
                into.add_lookup(open.lookup);
            } else {
                self.open.insert(key, open);
            }
        }
    }

    /// Gives out what was never answered.
    pub(super) fn finish(&mut self, into: &mut EvidenceBuilder) {
        self.flush(0, into);
    }
}
