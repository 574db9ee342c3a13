//! Any bytes as a connection of TLS.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::proto::tls::fuzz_tls(bytes));
