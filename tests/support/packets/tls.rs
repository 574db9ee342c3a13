//! Handshake messages and records of TLS 1.0 to 1.3 (RFC 5246, RFC 8446).

use super::bytes::{Put, built, noise};
use super::der::Certificate;
use super::random::Random;

/// Which program a hello looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// A browser of 2025: two segments long because of its post-quantum key share.
    Chrome,
    /// A program with TLS 1.3 and without a post-quantum key share.
    Modern,
    /// A program that speaks TLS 1.0 and nothing newer.
    Old,
    /// A program that speaks TLS 1.2 and nothing newer.
    Plain,
}

impl Client {
    /// By its name in a story.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "chrome" => Self::Chrome,
            "modern" => Self::Modern,
            "old" => Self::Old,
            "plain" => Self::Plain,
            other => panic!("no client: {other}"),
        }
    }
}

/// What stays the same in one handshake.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) protocols: Vec<String>,
    pub(crate) resumed: bool,
    id: Vec<u8>,
    nonce: Vec<u8>,
}

impl Session {
    /// A session that is about to begin.
    pub(crate) fn new(random: &mut Random, client: Client, name: &str) -> Self {
        let id = if matches!(client, Client::Chrome | Client::Modern) {
            noise(random, 32)
        } else {
            Vec::new()
        };
        Self {
            client,
            name: name.to_owned(),
            protocols: vec!["h2".to_owned(), "http/1.1".to_owned()],
            resumed: false,
            id,
            nonce: noise(random, 32),
        }
    }

    /// The first message, in its record. `share` is the only group offered after a retry.
    pub(crate) fn client_hello(&self, random: &mut Random, share: Option<u16>) -> Vec<u8> {
        let version = if self.client == Client::Old { 0x0301 } else { 0x0303 };
        let message = handshake(1, |body| {
            body.u16(version);
            body.put(&self.nonce);
            body.sized8(|inner| inner.put(&self.id));
            body.sized16(|inner| {
                for suite in self.suites() {
                    inner.u16(*suite);
                }
            });
            body.put(&[1, 0]);
            body.sized16(|inner| self.extensions(inner, random, share));
        });
        record(22, if share.is_some() { 0x0303 } else { 0x0301 }, &message)
    }

    fn suites(&self) -> &'static [u16] {
        match self.client {
            Client::Chrome => &[
                0x6a6a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8,
                0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
            ],
            Client::Modern => &[0x1302, 0x1301, 0xc02c, 0xc02b, 0xc030, 0xc02f, 0x009d, 0x009c],
            Client::Old => &[0xc00a, 0xc009, 0xc014, 0xc013, 0x0035, 0x002f, 0x000a],
            Client::Plain => {
                &[0xc02c, 0xc02b, 0xc030, 0xc02f, 0xc024, 0xc023, 0xc028, 0xc027, 0x009d, 0x009c]
            }
        }
    }

    fn extensions(&self, all: &mut Vec<u8>, random: &mut Random, share: Option<u16>) {
        let chrome = self.client == Client::Chrome;
        let newest = matches!(self.client, Client::Chrome | Client::Modern);
        if chrome {
            extension(all, 0x3a3a, |_| {});
        }
        extension(all, 0, |body| {
            body.sized16(|list| {
                list.u8(0);
                list.sized16(|name| name.put(self.name.as_bytes()));
            });
        });
        if self.client != Client::Old {
            extension(all, 5, |body| body.put(&[1, 0, 0, 0, 0]));
        }
        extension(all, 10, |body| {
            body.sized16(|list| {
                let groups: &[u16] = if chrome {
                    &[0x4a4a, POST_QUANTUM, X25519, P256, 0x18]
                } else {
                    &[X25519, P256, 0x18]
                };
                for group in groups {
                    list.u16(*group);
                }
            });
        });
        extension(all, 11, |body| body.put(&[1, 0]));
        if self.client != Client::Old {
            extension(all, 13, |body| {
                body.sized16(|list| {
                    for scheme in [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601] {
                        list.u16(scheme);
                    }
                });
            });
            extension(all, 16, |body| {
                body.sized16(|list| {
                    for protocol in &self.protocols {
                        list.sized8(|one| one.put(protocol.as_bytes()));
                    }
                });
            });
        }
        extension(all, 23, |_| {});
        let ticket = if self.resumed && !newest { noise(random, 192) } else { Vec::new() };
        extension(all, 35, |body| body.put(&ticket));
        extension(all, 0xff01, |body| body.u8(0));
        if newest {
            extension(all, 43, |body| {
                body.sized8(|list| {
                    if chrome {
                        list.u16(0x8a8a);
                    }
                    list.u16(0x0304);
                    list.u16(0x0303);
                });
            });
            extension(all, 45, |body| body.put(&[1, 1]));
            let shares: Vec<(u16, usize)> = match share {
                Some(group) => vec![(group, length(group))],
                None if chrome => vec![(0x4a4a, 1), (POST_QUANTUM, 1216), (X25519, 32)],
                None => vec![(X25519, 32)],
            };
            extension(all, 51, |body| {
                body.sized16(|list| {
                    for (group, length) in shares {
                        list.u16(group);
                        let mut key = noise(random, length);
                        if group == P256 {
                            key[0] = 4;
                        }
                        list.sized16(|inner| inner.put(&key));
                    }
                });
            });
        }
        if chrome {
            extension(all, 18, |_| {});
            extension(all, 27, |body| body.put(&[2, 0, 2]));
            extension(all, 0x44cd, |body| body.put(&[0, 3, 2, b'h', b'2']));
            // A meaningless Encrypted ClientHello, as a browser sends where it has no key.
            extension(all, 0xfe0d, |body| {
                body.put(&[0, 0, 1, 0, 1]);
                body.put(&noise(random, 1));
                body.sized16(|inner| inner.put(&noise(random, 32)));
                body.sized16(|inner| inner.put(&noise(random, 176)));
            });
            extension(all, 0x9a9a, |body| body.u8(0));
        }
        if newest && self.resumed {
            extension(all, 41, |body| {
                body.sized16(|list| {
                    list.sized16(|identity| identity.put(&noise(random, 208)));
                    list.u32(random.number());
                });
                body.sized16(|list| list.sized8(|binder| binder.put(&noise(random, 48))));
            });
        }
    }

    /// The answer of a server with TLS 1.3: the hello, and then what nobody can read.
    pub(crate) fn flight_13(&self, random: &mut Random, resumed: bool) -> Vec<u8> {
        let hello = self.server_hello_13(random, false, X25519);
        let mut bytes = record(22, 0x0303, &hello);
        bytes.put(&record(20, 0x0303, &[1]));
        if resumed {
            bytes.put(&sealed(random, 23, 97));
        } else {
            // Extensions, certificates, their signature, the end.
            for length in [42, 2980, 281, 69] {
                bytes.put(&sealed(random, 23, length));
            }
        }
        bytes
    }

    /// The request of a server to begin again with another group.
    pub(crate) fn retry(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = record(22, 0x0303, &self.server_hello_13(random, true, P256));
        bytes.put(&record(20, 0x0303, &[1]));
        bytes
    }

    fn server_hello_13(&self, random: &mut Random, retry: bool, group: u16) -> Vec<u8> {
        let nonce = if retry { RETRY.to_vec() } else { noise(random, 32) };
        let resumed = self.resumed;
        handshake(2, |body| {
            body.u16(0x0303);
            body.put(&nonce);
            body.sized8(|inner| inner.put(&self.id));
            body.u16(0x1302);
            body.u8(0);
            body.sized16(|all| {
                extension(all, 43, |inner| inner.u16(0x0304));
                extension(all, 51, |inner| {
                    inner.u16(group);
                    if !retry {
                        inner.sized16(|key| key.put(&noise(random, length(group))));
                    }
                });
                if resumed && !retry {
                    extension(all, 41, |inner| inner.u16(0));
                }
            });
        })
    }

    /// The end of the client's side in TLS 1.3.
    pub(crate) fn finished_13(random: &mut Random) -> Vec<u8> {
        let mut bytes = record(20, 0x0303, &[1]);
        bytes.put(&sealed(random, 23, 69));
        bytes
    }

    /// The answer of a server with TLS 1.2, its messages in one record each.
    pub(crate) fn flight_12(
        &self,
        random: &mut Random,
        chain: &[Certificate],
        asks: bool,
    ) -> Vec<u8> {
        let mut bytes = record(22, 0x0303, &self.server_hello_12(random));
        let certificates: Vec<Vec<u8>> = chain.iter().map(|one| one.encode(random)).collect();
        let message = handshake(11, |body| {
            body.sized24(|list| {
                for certificate in &certificates {
                    list.sized24(|inner| inner.put(certificate));
                }
            });
        });
        bytes.put(&record(22, 0x0303, &message));
        let message = handshake(12, |body| {
            body.u8(3);
            body.u16(X25519);
            body.sized8(|key| key.put(&noise(random, 32)));
            body.u16(0x0804);
            body.sized16(|signature| signature.put(&noise(random, 256)));
        });
        bytes.put(&record(22, 0x0303, &message));
        if asks {
            let message = handshake(13, |body| {
                body.put(&[2, 1, 64]);
                body.sized16(|list| {
                    for scheme in [0x0403, 0x0804, 0x0401] {
                        list.u16(scheme);
                    }
                });
                body.u16(0);
            });
            bytes.put(&record(22, 0x0303, &message));
        }
        bytes.put(&record(22, 0x0303, &handshake(14, |_| {})));
        bytes
    }

    /// A server that goes on with a session it knows (TLS 1.2).
    pub(crate) fn flight_12_resumed(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = record(22, 0x0303, &self.server_hello_12(random));
        bytes.put(&record(20, 0x0303, &[1]));
        bytes.put(&sealed(random, 22, 40));
        bytes
    }

    fn server_hello_12(&self, random: &mut Random) -> Vec<u8> {
        let protocol = self.protocols.first().cloned();
        handshake(2, |body| {
            body.u16(0x0303);
            body.put(&noise(random, 32));
            body.sized8(|inner| inner.put(&noise(random, 32)));
            body.u16(0xc030);
            body.u8(0);
            body.sized16(|all| {
                extension(all, 0xff01, |inner| inner.u8(0));
                extension(all, 23, |_| {});
                if let Some(protocol) = &protocol {
                    extension(all, 16, |inner| {
                        inner.sized16(|list| list.sized8(|one| one.put(protocol.as_bytes())));
                    });
                }
            });
        })
    }

    /// The client's key and the end of its side (TLS 1.2); `certificate` if it was asked for one.
    pub(crate) fn finished_12(random: &mut Random, no_certificate: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        if no_certificate {
            bytes.put(&record(22, 0x0303, &handshake(11, |body| body.u24(0))));
        }
        let message = handshake(16, |body| body.sized8(|key| key.put(&noise(random, 32))));
        bytes.put(&record(22, 0x0303, &message));
        bytes.put(&record(20, 0x0303, &[1]));
        bytes.put(&sealed(random, 22, 40));
        bytes
    }

    /// The end of the server's side (TLS 1.2).
    pub(crate) fn server_finished_12(random: &mut Random) -> Vec<u8> {
        let mut bytes = record(20, 0x0303, &[1]);
        bytes.put(&sealed(random, 22, 40));
        bytes
    }
}

/// An alert in clear.
pub(crate) fn alert(version: u16, level: u8, description: u8) -> Vec<u8> {
    record(21, version, &[level, description])
}

/// An alert that nobody can read.
pub(crate) fn sealed_alert(random: &mut Random, newest: bool) -> Vec<u8> {
    if newest { sealed(random, 23, 19) } else { sealed(random, 21, 26) }
}

/// Data of the application, in records of at most 16 KiB.
pub(crate) fn data(random: &mut Random, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut left = length;
    while left > 0 {
        let part = left.min(16_368);
        bytes.put(&sealed(random, 23, part));
        left -= part;
    }
    bytes
}

/// An opaque long header of QUIC version 1: nobody needs to open it.
pub(crate) fn initial(random: &mut Random) -> Vec<u8> {
    built(|bytes| {
        bytes.u8(0xc0 | (noise(random, 1)[0] & 0x0f));
        bytes.u32(1);
        bytes.sized8(|inner| inner.put(&noise(random, 8)));
        bytes.u8(0);
        bytes.u8(0);
        bytes.u16(0x4000 + 1232);
        bytes.put(&noise(random, 1232));
    })
}

fn sealed(random: &mut Random, kind: u8, length: usize) -> Vec<u8> {
    let body = noise(random, length);
    record(kind, 0x0303, &body)
}

fn record(kind: u8, version: u16, body: &[u8]) -> Vec<u8> {
    built(|bytes| {
        bytes.u8(kind);
        bytes.u16(version);
        bytes.sized16(|inner| inner.put(body));
    })
}

fn handshake(kind: u8, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    built(|bytes| {
        bytes.u8(kind);
        bytes.sized24(body);
    })
}

fn extension(all: &mut Vec<u8>, kind: u16, body: impl FnOnce(&mut Vec<u8>)) {
    all.u16(kind);
    all.sized16(body);
}

/// Length of a share of a group.
fn length(group: u16) -> usize {
    if group == P256 { 65 } else { 32 }
}

const POST_QUANTUM: u16 = 0x11ec;
const X25519: u16 = 0x1d;
/// The group that servers ask for at a retry.
pub(crate) const P256: u16 = 0x17;
/// The nonce that makes a hello a retry (RFC 8446 section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
