//! Any bytes as a connection of HTTP/2.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::proto::http2::fuzz_http2(bytes));
