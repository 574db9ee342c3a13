//! The simple handshake that RFC 8448 section 3 shows.

use super::*;

#[test]
fn the_simple_handshake_of_rfc_8448_opens() {
    let recorded = Recorded::read("rfc8448-3", include_str!("rfc8448-3.txt"));
    let (opener, events) = recorded.run();
    let payload: String = (0_u8..50).map(char::from).collect();
    let expected = [
        Event::Handshake(Peer::Server, 8, 36),
        Event::Handshake(Peer::Server, 11, 441),
        Event::Handshake(Peer::Server, 15, 132),
        Event::Handshake(Peer::Server, 20, 32),
        Event::Handshake(Peer::Client, 20, 32),
        Event::Handshake(Peer::Server, 4, 201),
        Event::Data(Peer::Client, payload.clone()),
        Event::Data(Peer::Server, payload),
        Event::Alert(Peer::Client, 1, 0),
        Event::Alert(Peer::Server, 1, 0),
    ];
    assert_eq!(events, expected);
    assert_eq!(opener.opened(), Sides { client: 3, server: 4 });
}
