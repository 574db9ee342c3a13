//! Any bytes as a connection of TLS with its keys.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::proto::tls::fuzz_opener(bytes));
