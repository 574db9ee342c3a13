//! Any bytes as a connection to a SOCKS proxy.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::proto::socks::fuzz_socks(bytes));
